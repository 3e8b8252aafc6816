"""The load path: the streams that are live between the samples of a trace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from controller.errors import TraceError
from controller.load.trace import LoadTrace
from policies.observation import Missing

HOUR_S, DAY_S = 3600.0, 86_400.0
GAP = Missing("a gap in the trace")
"""The reading of a load that nobody recorded."""
WARM_UP_DAYS = 7.0
WARM_UP_SHARE = 0.25
"""Share of a trace that warms up, where it is too short for a week."""
LIFETIME_S = 300.0
"""Seconds that a stream lives on average: how fast births and deaths forget."""
FORGETTING = 1.0 / 288.0
"""Weight of one more increment in their running size: a day of five-minute samples."""
MOST_STEPS = 50_000_000
MOST_STREAMS = 1e7
GAP_FACTOR = 3.0
"""Usual distances of samples beyond which there is a gap between two."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """A load path on the control grid; step k begins k times `step_s` after `begin_s`.

    `streams` of shape (steps,) is what is live, also within a gap, where the last level is
    held. `known` is False within a gap: unobserved and unscored. The first `warm_up_steps`
    teach the forecasters and are not scored.
    """

    name: str
    step_s: float
    streams: NDArray[np.int64]
    known: NDArray[np.bool_]
    warm_up_steps: int
    begin_s: float = 0.0

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Steps that count: after the warm-up, and not in a gap."""
        scored = self.known.copy()
        scored[: self.warm_up_steps] = False
        return scored

    @property
    def time_s(self) -> Floats:
        """Seconds at which each step begins."""
        return self.begin_s + self.step_s * np.arange(self.streams.size, dtype=np.float64)

    def from_step(self, first: int) -> Load:
        """The path from a step on, with what is left of the warm-up."""
        return Load(
            self.name,
            self.step_s,
            self.streams[first:],
            self.known[first:],
            max(0, self.warm_up_steps - first),
            self.begin_s + first * self.step_s,
        )


def realise(
    trace: LoadTrace,
    step_s: float,
    seed: int,
    *,
    peak_streams: int | None = None,
    last_days: float | None = None,
) -> Load:
    """A path through the samples of a trace; equal seeds give equal paths.

    From each sample on, the load goes from the level before to the sample's, which it reaches
    when the next one comes, so that nothing of the path depends on a later sample. It goes by a
    Brownian bridge of the size that the trace's increments have had so far: where these are
    normal the path is a random walk, and no slope tells a forecaster what comes. On top,
    streams are born and die (the stationary M/M/infinity queue, whose variance is its mean).
    Only the last `last_days` are scored; what teaches the forecasters are the 7 days before, or
    a quarter of a trace too short for that. Raises TraceError for a trace that is shorter than
    four steps.
    """
    if peak_streams is not None:
        trace = trace.scaled(peak_streams)
    values = np.array([np.nan if each is None else each for each in trace.streams])
    values = values[: 1 + np.flatnonzero(~np.isnan(values))[-1]]  # nothing is known after that
    times_s = np.array(trace.time_s[: values.size])
    first_s, warm_up_s, end_s = _span(trace, times_s, step_s, last_days)
    steps = int((end_s - first_s) / step_s + 1e-9)
    _check_size(trace, steps, step_s)
    at_s: Floats = first_s + step_s * np.arange(steps, dtype=np.float64)
    sample = np.maximum(np.searchsorted(times_s, at_s + 1e-9, side="right") - 1, 0)
    generator = np.random.default_rng(seed)
    level = np.maximum(_bridge(values, sample, at_s, generator), 0.0)
    streams = np.maximum(np.rint(level + np.sqrt(level) * _births(steps, step_s, generator)), 0.0)
    return Load(
        name=trace.name,
        step_s=step_s,
        streams=streams.astype(np.int64),
        known=_known(times_s, values, sample),
        warm_up_steps=int(warm_up_s / step_s),
        begin_s=first_s,
    )


def _check_size(trace: LoadTrace, steps: int, step_s: float) -> None:
    if steps > MOST_STEPS:
        why = f"{steps:,} ticks of {step_s:g} s are more than can be played"
        remedy = "are its times in milliseconds? give seconds, fewer --days or a longer --interval"
        raise TraceError(trace.where, None, why, remedy)
    if trace.peak > MOST_STREAMS:
        why = f"{trace.peak:g} streams are more than can be played"
        raise TraceError(trace.where, None, why, "scale it with --peak-streams")


def _span(
    trace: LoadTrace, times_s: Floats, step_s: float, last_days: float | None
) -> tuple[float, float, float]:
    """Begin of the path, length of the warm-up and end, seconds on the trace's own time."""
    usual_s = float(np.median(np.diff(times_s))) if times_s.size > 1 else 0.0
    end_s = float(times_s[-1]) + usual_s  # the last sample holds as long as any
    wanted_s = end_s if last_days is None else last_days * DAY_S
    if min(end_s, wanted_s) < 4 * step_s:
        gap = " before the gap at its end" if times_s.size < len(trace.time_s) else ""
        load = f"{min(end_s, wanted_s):g} s of load{gap}"
        why = f"{load} are too short for ticks of {step_s:g} s"
        remedy = "give a longer trace, more --days or a shorter --interval"
        raise TraceError(trace.where, None, why, remedy)
    scored_s = end_s if last_days is None else min(end_s, last_days * DAY_S)
    warm_up_s = min(WARM_UP_DAYS * DAY_S, WARM_UP_SHARE * end_s)
    if end_s - scored_s < warm_up_s:
        scored_s = end_s - warm_up_s
    return end_s - scored_s - warm_up_s, warm_up_s, end_s


def _held(values: Floats) -> Floats:
    """Each gap filled with the level before it; the first level stands for what precedes it."""
    valid = np.flatnonzero(~np.isnan(values))
    last = np.searchsorted(valid, np.arange(values.size), side="right") - 1
    held: Floats = values[valid[np.maximum(last, 0)]]
    return held


def _known(times_s: Floats, values: Floats, sample: NDArray[np.intp]) -> NDArray[np.bool_]:
    known = ~np.isnan(values)
    apart_s = np.diff(times_s, append=times_s[-1])
    if apart_s.size > 1:
        known &= apart_s <= GAP_FACTOR * np.median(apart_s[:-1])
    return np.asarray(known[sample])


def _bridge(
    values: Floats,
    sample: NDArray[np.intp],
    at_s: Floats,
    generator: np.random.Generator,
) -> Floats:
    """Bridge from each level to the sample's as Brownian; after a gap, the sample's at once."""
    held = _held(values)
    increments = np.diff(held, prepend=held[0])
    increments[1:][np.isnan(values[:-1])] = 0.0
    begins = np.flatnonzero(np.diff(sample, prepend=-1))
    lengths = np.diff(begins, append=at_s.size)
    step_s = at_s[1] - at_s[0]
    walk = np.cumsum(generator.standard_normal(at_s.size)) * np.sqrt(step_s)
    begun = np.repeat(walk[begins], lengths)
    ended = np.repeat(walk[begins + lengths - 1], lengths)
    part = (at_s - np.repeat(at_s[begins], lengths)) / np.repeat(lengths * step_s, lengths)
    bridge = (walk - begun - part * (ended - begun)) / np.repeat(np.sqrt(lengths * step_s), lengths)
    wander = _deviation(increments)[sample] * bridge
    return np.asarray(held[sample] - (1.0 - part) * increments[sample] + wander)


def _deviation(increments: Floats) -> Floats:
    """Running standard deviation of the increments, from their mean size as if they were normal.

    A mean of squares would let one burst shake the whole day after it.
    """
    sizes, weights = (
        lfilter([FORGETTING], [1.0, FORGETTING - 1.0], each)
        for each in (np.abs(increments), np.ones(increments.size))
    )
    return np.asarray(np.sqrt(0.5 * np.pi) * sizes / weights)


def _births(steps: int, step_s: float, generator: np.random.Generator) -> Floats:
    """Standard normal noise that forgets with the lifetime of a stream."""
    kept = float(np.exp(-step_s / LIFETIME_S))
    draws = generator.standard_normal(steps) * np.sqrt(1.0 - kept**2)
    draws[0] /= np.sqrt(1.0 - kept**2)
    return np.asarray(lfilter([1.0], [1.0, -kept], draws))

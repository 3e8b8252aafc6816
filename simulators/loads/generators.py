"""Loads that nobody recorded, by the name of their shape, and any trace by its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from controller.errors import TraceError
from controller.load.csv_trace import read_trace
from controller.load.journal_trace import is_journal, recorded_load
from controller.load.trace import LoadTrace
from simulators.loads.load_path import DAY_S

Floats = NDArray[np.float64]
Shape = Callable[[Floats, np.random.Generator], Floats]
SAMPLE_S = 60.0
"""Seconds from one sample of a generated load to the next."""
DEFAULT_DAYS = 14.0
LIFETIME_S = 1800.0
"""Seconds that a stream of `poisson` lives on average."""


def diurnal(time_s: Floats, generator: np.random.Generator) -> Floats:
    """A day's wave with a smaller second one, weaker at weekends, and a little noise."""
    day = 2 * np.pi * time_s / DAY_S
    wave = 0.55 - 0.4 * np.cos(day) + 0.1 * np.sin(2 * day)
    weekend = np.where((time_s / DAY_S).astype(int) % 7 >= 5, 0.7, 1.0)
    return np.asarray(wave * weekend * (1.0 + 0.03 * generator.standard_normal(time_s.size)))


def burst(time_s: Floats, generator: np.random.Generator) -> Floats:
    """A quiet level, and about four times a day a surge that decays within minutes."""
    level = np.full(time_s.size, 0.15)
    for begin_s in generator.uniform(0.0, time_s[-1], max(1, int(4 * time_s[-1] / DAY_S))):
        since_s = time_s - begin_s
        height = generator.uniform(0.3, 0.85)
        level += np.where(since_s >= 0, height * np.exp(-np.maximum(since_s, 0.0) / 900.0), 0.0)
    return level


def ramp(time_s: Floats, generator: np.random.Generator) -> Floats:
    """A ramp from a tenth to the peak, all the way, with a little noise."""
    rise = 0.1 + 0.9 * time_s / time_s[-1]
    return np.asarray(rise * (1.0 + 0.01 * generator.standard_normal(time_s.size)))


def steps(time_s: Floats, generator: np.random.Generator) -> Floats:
    """Another level every three hours."""
    levels = generator.uniform(0.1, 1.0, int(time_s[-1] / 10_800.0) + 1)
    return np.asarray(levels[(time_s / 10_800.0).astype(int)])


def flash_crowd(time_s: Floats, generator: np.random.Generator) -> Floats:
    """An event: within two minutes the load is tenfold, and takes an hour to leave."""
    begin_s = generator.uniform(0.5, 0.9) * time_s[-1]
    rise = 1.0 / (1.0 + np.exp(np.clip(-(time_s - begin_s) / 20.0, -50, 50)))
    leave = np.exp(-np.maximum(time_s - begin_s - 600.0, 0.0) / 3600.0)
    return np.asarray(0.1 + 0.9 * rise * leave)


def poisson(time_s: Floats, generator: np.random.Generator) -> Floats:
    """Streams that arrive at random and live for half an hour on average (M/M/infinity)."""
    arrivals = generator.poisson(200 * SAMPLE_S / LIFETIME_S, time_s.size)
    live, level = 200, np.empty(time_s.size)
    for step, arrived in enumerate(arrivals):
        live += int(arrived) - int(generator.binomial(live, 1.0 - np.exp(-SAMPLE_S / LIFETIME_S)))
        level[step] = live
    return level


GENERATORS: Mapping[str, Shape] = MappingProxyType(
    {each.__name__: each for each in (diurnal, burst, ramp, steps, flash_crowd, poisson)}
)


def generate(name: str, days: float = DEFAULT_DAYS, peak_streams: int = 1000) -> LoadTrace:
    """A trace of that shape, one sample a minute; the same name and length give the same."""
    time_s = np.arange(0.0, days * DAY_S, SAMPLE_S)
    generator = np.random.default_rng(list(name.encode()))
    values = np.maximum(GENERATORS[name](time_s, generator), 0.0)
    streams = values * peak_streams / values.max()
    called = name if days == DEFAULT_DAYS else f"{name}:{days:g}d"
    return LoadTrace(called, tuple(time_s.tolist()), tuple(streams.tolist()))


def find_trace(text: str) -> LoadTrace:
    """A trace by the name of a generator (`diurnal`, `burst:3d`), from a CSV file or a journal.

    Of a journal it is the latest run, or the one whose number follows (`journal.sqlite3:7`).
    Raises TraceError where there is none of these.
    """
    return replace(_trace(text), source=text)


def _trace(text: str) -> LoadTrace:
    name, _, length = text.partition(":")
    if name in GENERATORS and not Path(text).exists():
        return generate(name, _days(text, length) if length else DEFAULT_DAYS)
    path = Path(text)
    journal, _, run = text.rpartition(":")
    if run.isdigit() and not path.exists() and is_journal(Path(journal)):
        return recorded_load(Path(journal), int(run))
    if is_journal(path):
        return recorded_load(path)
    if not path.exists() and path.suffix == "":
        why = f"neither a file nor a generator ({', '.join(GENERATORS)})"
        raise TraceError(path, None, why, "name one of those")
    return read_trace(path)


def _days(text: str, length: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hd])", length)
    days = float(found[1]) / (24.0 if found[2] == "h" else 1.0) if found else 0.0
    if not 0.01 <= days <= 1000.0:
        raise TraceError(Path(text), None, f"{length!r} is no length", "write 12h or 14d")
    return days

"""The latency model that a policy is given in a simulation: the laws of the interval level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from policies.knobs import Settings, ThreadClasses
from policies.latency import Calibration
from simulators.levels.closed_form import IntervalLevel
from simulators.levels.device_memory import DeviceMemory
from simulators.levels.level import SATURATED, Work

LONGEST_LEAP = 8
"""Streams from one law to the next; between them figures are interpolated."""
LEAST = 1e-12
"""Miss rate that stands for none: its logarithm is finite."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Miss rate and utilisation of a node with 0, 1, 2, ... streams."""

    miss_rates: Floats
    utilisation: Floats


class IntervalLatency:
    """Laws by the settings that they depend on, each worked out when first asked for."""

    def __init__(self, level: IntervalLevel, calibration: Calibration, found: Settings) -> None:
        """`found` has the values of knobs that a policy is not told of."""
        self._level = level
        self._calibration = calibration
        self._found = found
        self._tables: dict[Work, _Table] = {}
        self._last: tuple[Settings, _Table] | None = None

    def miss_rates(self, settings: Settings) -> Floats:
        """Miss rate of a node with 0, 1, 2, ... streams, never falling; fuller ones miss all."""
        return self._table(settings).miss_rates

    def utilisation(self, streams: float, settings: Settings) -> float:
        """Part of its time that a node with so many streams computes, at most 1."""
        known = self._table(settings).utilisation
        return float(np.interp(streams, np.arange(known.size), known, right=1.0))

    def _table(self, settings: Settings) -> _Table:
        if self._last is not None and self._last[0] is settings:  # asked again in each tick
            return self._last[1]
        work = self._work(Settings.of({**self._found, **settings}))
        table = self._tables.get(work)
        if table is None:
            table = self._tables[work] = self._worked_out(work)
        self._last = settings, table
        return table

    def _work(self, settings: Settings) -> Work:
        """The work of one stream on one node under these settings."""
        classes = settings.thread_classes if "thread_classes" in settings else ThreadClasses()
        scheduling = classes.audio.scheduling
        return Work(1, settings.batch_size, settings.vram_block_bytes, scheduling)

    def _worked_out(self, work: Work) -> _Table:
        """Miss rates are interpolated by their logarithm, and what finds no memory is lost."""
        knots, figures = zip(*self._laws(work), strict=True)
        rates, busy = np.array(figures).T
        streams = np.arange(knots[-1] + 1)
        rates = np.exp(np.interp(streams, knots, np.log(np.maximum(rates, LEAST))))
        rates = self._lost(rates, work)
        rates[0] = 0.0
        rates = np.maximum.accumulate(rates)
        return _Table(rates, np.interp(streams, knots, busy))

    def _laws(self, work: Work) -> Iterator[tuple[int, tuple[float, float]]]:
        """Close together where one more batch has just begun: there they bend most."""
        streams = 0
        while True:
            missed, busy = self._mixed(replace(work, streams=streams))
            yield streams, (missed, busy)
            if missed > SATURATED:
                return
            begun = streams % work.batch_size
            streams += min(max(1, begun), LONGEST_LEAP, work.batch_size - begun)

    def _mixed(self, work: Work) -> tuple[float, float]:
        """Miss rate and utilisation in both regimes, each for its share of the time."""
        share = self._calibration.contended_share
        missed = busy = 0.0
        for contended, part in ((False, 1.0 - share), (True, share)):
            if part > 0.0:
                law = self._level.law(replace(work, contended=contended))
                missed += part * law.miss_rate
                busy += part * law.utilisation
        return missed, busy

    def _lost(self, rates: Floats, work: Work) -> Floats:
        """Miss rates where streams for which there is no device memory play nothing."""
        if self._calibration.transfer is None:
            return rates
        most = rates.size - 1
        memory = DeviceMemory.of(self._calibration.transfer, most, work.vram_block_bytes, 1.0)
        streams = np.arange(rates.size)
        fitting = np.minimum(streams, memory.fitting)
        served = fitting / np.maximum(streams, 1)
        return np.asarray(1.0 - served * (1.0 - rates[fitting]))

"""The latency model that a policy is given in a simulation: the laws of the interval level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.knobs import SchedulingClass, Settings, ThreadClasses
from policies.latency import Calibration
from simulators.closed_form import IntervalLevel
from simulators.level import Work

NEARLY_ALL = 0.99
"""A node that misses so much is not worked out any further."""


class IntervalLatency:
    """Laws by the settings that they depend on, each worked out when first asked for."""

    def __init__(self, level: IntervalLevel, calibration: Calibration, batch_size: int) -> None:
        self._level = level
        self._calibration = calibration
        self._batch_size = batch_size
        self._rates: dict[Work, NDArray[np.float64]] = {}

    def miss_rates(self, settings: Settings) -> NDArray[np.float64]:
        """Miss rate of a node with 0, 1, 2, ... streams, never falling; fuller ones miss all."""
        work = self._work(settings)
        rates = self._rates.get(work)
        if rates is None:
            rates = self._rates[work] = self._worked_out(work)
        return rates

    def utilisation(self, streams: float, settings: Settings) -> float:
        """Part of its time that a node with so many streams computes, at most 1."""
        work = self._work(settings)
        return min(1.0, self._calibration.utilisation(streams, work.batch_size))

    def _work(self, settings: Settings) -> Work:
        """What the settings make of one stream on one node."""
        classes = settings.get("thread_classes")
        scheduling = SchedulingClass.NORMAL
        if isinstance(classes, ThreadClasses):
            scheduling = classes.audio.scheduling
        batch_size = settings.get("batch_size", self._batch_size)
        block_bytes = settings.get("vram_block_bytes", Work(1, 1).vram_block_bytes)
        return Work(1, int(str(batch_size)), int(str(block_bytes)), scheduling)

    def _worked_out(self, work: Work) -> NDArray[np.float64]:
        rates = [0.0]
        while rates[-1] < NEARLY_ALL:
            rates.append(self._mixed(work, len(rates)))
        return np.maximum.accumulate(rates)

    def _mixed(self, work: Work, streams: int) -> float:
        """In both regimes, each for its share of the time."""
        share = self._calibration.contended_share
        regimes = ((False, 1.0 - share), (True, share))
        return sum(
            part * self._level.law(_loaded(work, streams, contended)).miss_rate
            for contended, part in regimes
            if part > 0.0
        )


def _loaded(work: Work, streams: int, contended: bool) -> Work:
    return Work(streams, work.batch_size, work.vram_block_bytes, work.scheduling, contended)

"""Whether a live run still shows what a calibration predicts of it."""

from __future__ import annotations

import math

from policies.knobs import Settings, ThreadClasses
from policies.latency import Calibration
from policies.observation import Observation, fresh

PATIENCE = 5
"""Intervals outside the band, one after the other, before anybody is told: one is chance."""


class CalibrationWatch:
    """Holds the 99 % quantile of each interval against the band of a calibration.

    Nothing is said of an interval whose load, latency or knobs are not known, nor beyond what
    the calibration holds for: its range of streams, and the scheduling it was measured under.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._outside = 0

    def alarms(self, seen: Observation, settings: Settings) -> tuple[str, ...]:
        """The alarm to raise, once the band has been left for long enough."""
        load, p99_ms = fresh(seen.load), fresh(seen.latency.p99_ms)
        nodes, batch_size = settings.get("nodes", 1), settings.get("batch_size")
        if load is None or p99_ms is None:
            return ()
        if not isinstance(nodes, int) or not isinstance(batch_size, int) or nodes < 1:
            return ()
        if not self._is_as_measured(settings):
            return ()
        band = self._calibration.band(math.ceil(load / nodes), batch_size)
        if band is None or band.low_ms <= p99_ms <= band.high_ms:
            self._outside = 0
            return ()
        self._outside += 1
        if self._outside < PATIENCE:
            return ()
        where = f"{band.streams} streams a node in batches of {batch_size}"
        return (
            f"99 of 100 blocks take {p99_ms:.2f} ms where the calibration predicts "
            f"{band.low_ms:.2f} to {band.high_ms:.2f} ms ({where}): it does not hold here now; "
            "find what else changed, or calibrate again",
        )

    def _is_as_measured(self, settings: Settings) -> bool:
        """Whether threads and device memory are as they were; who does not say counts so."""
        classes, block_bytes = settings.get("thread_classes"), settings.get("vram_block_bytes")
        if block_bytes not in (None, self._calibration.block_bytes):
            return False
        if not isinstance(classes, ThreadClasses):
            return True
        return classes.audio.scheduling is self._calibration.scheduling

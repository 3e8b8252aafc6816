"""The built-in plant as a subject: one worker of the executor that is configured."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from controller.config.config import Config
from controller.errors import ExecutorError
from controller.executors.executor import ExecutorSettings, Task, make_executor
from controller.executors.timetable import Timetable
from controller.sound.bank import SoundBank
from controller.sound.synthesis import synthesise_sounds
from controller.workloads.workload import WorkloadSettings
from kapellmeister.calibration.subject import (
    BATCH_SIZES,
    DRAIN_PERIODS,
    SETTLING_S,
    between,
    class_of,
)
from simulators.calibration.calibration import OperatingPoint

LEAD_IN_S = 0.5
TURN_S = 0.02
REALTIME_PRIORITY = 60


class ExecutorSubject:
    """A worker under a constant load; its batches are read, and heard by nobody."""

    def __init__(self, config: Config, workload: str, slots: int) -> None:
        pipeline = config.pipeline
        period_ns = 1e9 * pipeline.period_frames / pipeline.sample_rate_hz
        self.period_ms = period_ns / 1e6
        settings = WorkloadSettings(
            pipeline.sample_rate_hz, pipeline.period_frames, slots, pipeline.taps
        )
        bank = SoundBank(
            synthesise_sounds(settings.sample_rate_hz, 1), settings.period_frames, slots
        )
        given = ExecutorSettings(
            workload, settings, bank, {"batch_size": BATCH_SIZES[0], "nodes": 1}, {"nodes": 1}
        )
        self._executor = make_executor(pipeline.executor, given)
        start_ns = time.monotonic_ns() + int(LEAD_IN_S * 1e9)
        self._timetable = Timetable(start_ns, period_ns, round(period_ns), round(period_ns))
        self._streams = 0
        self._in_force_from = 0
        self.scheduling = "normal"

    def start(self) -> None:
        """Start the worker, real-time where that is permitted."""
        gc.collect()
        gc.freeze()
        self._executor.start(self._timetable)
        while not self._executor.is_ready:
            time.sleep(TURN_S)
        for pids in self._executor.processes().values():
            for pid in pids:
                self._favour(pid)

    def stop(self) -> None:
        """End every process."""
        self._executor.close()

    def measure(self, streams: int, batch_size: int, seconds: float) -> OperatingPoint:
        """So many streams for so long, once all of them are there."""
        while self._streams < streams:
            self._executor.schedule_task(Task("audio", "stream", slot=self._streams))
            self._streams += 1
        while self._streams > streams:
            self._streams -= 1
            self._executor.release(self._streams)
        self._turn_batch_size(batch_size)
        self._pass(SETTLING_S, lambda *_: None)
        while self._timetable.capturing(time.monotonic_ns()) <= self._in_force_from:
            self._pass(TURN_S, lambda *_: None)
        first = self._timetable.capturing(time.monotonic_ns()) + 1
        batches: list[NDArray[np.void]] = []
        self._pass(seconds, batches.append)
        last = self._timetable.capturing(time.monotonic_ns())
        self._pass(DRAIN_PERIODS * self.period_ms / 1000.0 + TURN_S, batches.append)
        return OperatingPoint(streams, batch_size, last - first, between(batches, first, last))

    def _turn_batch_size(self, batch_size: int) -> None:
        if (refusal := self._executor.apply("batch_size", batch_size)) is not None:
            raise ExecutorError(self._executor.name, refusal.reason, "calibrate another executor")

    def _pass(self, seconds: float, take: Callable[[NDArray[np.void]], object]) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            time.sleep(TURN_S)
            if (announced := self._executor.advance()) is not None:
                self._in_force_from = announced.from_block
            for finished in self._executor.read():
                take(finished.batches)

    def _favour(self, pid: int) -> None:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))
        self.scheduling = class_of(os.sched_getscheduler(pid))


@contextmanager
def executor_subject(config: Config, workload: str, slots: int) -> Iterator[ExecutorSubject]:
    """A worker at work; whatever happens, no process is left."""
    made = ExecutorSubject(config, workload, slots)
    made.start()
    try:
        yield made
    finally:
        made.stop()

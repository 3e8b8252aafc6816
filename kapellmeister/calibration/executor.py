"""The built-in plant as a subject: one worker of the executor that is configured."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from controller.config.config import Config
from controller.errors import ExecutorError
from controller.executors.executor import Executor, ExecutorSettings, Task, make_executor
from controller.executors.timetable import Timetable
from controller.executors.trial import MonotonicTime, Time
from controller.sound.bank import SoundBank
from controller.sound.synthesis import synthesise_sounds
from controller.workloads.workload import WorkloadSettings
from kapellmeister.calibration.subject import (
    DRAIN_PERIODS,
    SETTLING_S,
    Device,
    between,
    class_of,
)
from kapellmeister.running.controlled.chosen_executor import chosen_executor, vram_config
from policies.knobs import Choice
from policies.observation import NOT_REPORTED, Reading, fresh
from simulators.calibration.calibration import OperatingPoint

LEAD_IN_S = 0.5
TURN_S = 0.02
PATIENCE_S = 10.0
"""Seconds for which a value may take to come into force."""
REALTIME_PRIORITY = 60
INPUT_BYTES = 4
"""Bytes of a frame of input: float32."""


class ExecutorSubject:
    """A worker under a constant load; its batches are read, and heard by nobody."""

    def __init__(self, config: Config, workload: str, slots: int, clock: Time) -> None:
        pipeline = config.pipeline
        period_ns = 1e9 * pipeline.period_frames / pipeline.sample_rate_hz
        self.period_ms = period_ns / 1e6
        settings = WorkloadSettings(
            pipeline.sample_rate_hz, pipeline.period_frames, slots, pipeline.taps
        )
        bank = SoundBank(
            synthesise_sounds(settings.sample_rate_hz, 1), settings.period_frames, slots
        )
        one = {"nodes": 1}
        given = ExecutorSettings(workload, settings, bank, one, one, vram_config(config))
        self._clock, self._frames = clock, settings.period_frames
        asked = pipeline.model_copy(update={"workload": workload})
        chosen = chosen_executor(asked, partial(print, file=sys.stderr))
        self._executor = make_executor(chosen, given)
        self.batch_sizes = _choice(self._executor, "batch_size")
        self.block_bytes = _choice(self._executor, "vram_block_bytes")
        self._usual_block_bytes = self._executor.in_force().get("vram_block_bytes")
        start_ns = clock.now_ns() + int(LEAD_IN_S * 1e9)
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
            self._clock.pass_s(TURN_S)
        for pids in self._executor.processes().values():
            for pid in pids:
                self._favour(pid)

    def stop(self) -> None:
        """End every process."""
        self._executor.close()

    def measure(
        self, streams: int, batch_size: int, seconds: float, block_bytes: int | None = None
    ) -> OperatingPoint:
        """The work of so many streams for so long, once all are there; None: in the usual blocks.

        Raises ExecutorError where a value that its knob can have does not come into force.
        """
        self._admit(streams)
        self._turn("batch_size", batch_size)
        blocks = cast(int | None, block_bytes or self._usual_block_bytes)
        if blocks is not None:
            self._turn("vram_block_bytes", blocks)
        self._pass(SETTLING_S, lambda *_: None)
        while self._block() <= self._in_force_from:
            self._pass(TURN_S, lambda *_: None)
        first = self._block() + 1
        batches: list[NDArray[np.void]] = []
        self._pass(seconds, batches.append)
        last = self._block()
        self._pass(DRAIN_PERIODS * self.period_ms / 1000.0 + TURN_S, batches.append)
        seen = between(batches, first, last)
        return OperatingPoint(streams, batch_size, last - first, seen, blocks)

    def device(self) -> Device | None:
        """The device while streams are there; None where the executor has no blocks.

        Raises ExecutorError where the executor does not tell what it holds in which memory.
        """
        if not self.block_bytes:
            return None
        arena_bytes, held_bytes, streams = (
            self._told(f"gpu.{name}") for name in ("arena_bytes", "owner_audio_bytes", "streams")
        )
        workspace_bytes = fresh(self._reading("gpu.owner_workspace_bytes")) or 0.0
        held = math.ceil(held_bytes / max(1.0, streams))
        return Device(INPUT_BYTES * self._frames, int(arena_bytes - workspace_bytes), held)

    def _told(self, name: str) -> float:
        told = fresh(self._reading(name))
        if told is None:
            why = f"it has vram_block_bytes and does not tell {name}"
            raise ExecutorError(self._executor.name, why, "calibrate another executor")
        return told

    def _reading(self, name: str) -> Reading:
        return self._executor.readings().get(name, NOT_REPORTED)

    def _admit(self, streams: int) -> None:
        while self._streams < streams:
            self._executor.schedule_task(Task("audio", "stream", slot=self._streams))
            self._streams += 1
        while self._streams > streams:
            self._streams -= 1
            self._executor.release(self._streams)

    def _turn(self, knob: str, value: int) -> None:
        """Ask for a value, and wait until it is in force."""
        if (refusal := self._executor.apply(knob, value)) is not None:
            raise ExecutorError(self._executor.name, refusal.reason, "calibrate another executor")
        until_ns = self._clock.now_ns() + int(PATIENCE_S * 1e9)
        while self._executor.in_force().get(knob) != value:
            if self._clock.now_ns() > until_ns:
                why = f"{knob} {value} is not in force after {PATIENCE_S:.0f} s"
                raise ExecutorError(self._executor.name, why, "calibrate another executor")
            self._pass(TURN_S, lambda *_: None)

    def _block(self) -> int:
        return self._timetable.capturing(self._clock.now_ns())

    def _pass(self, seconds: float, take: Callable[[NDArray[np.void]], object]) -> None:
        until_ns = self._clock.now_ns() + int(1e9 * seconds)
        while self._clock.now_ns() < until_ns:
            self._clock.pass_s(TURN_S)
            if (announced := self._executor.advance()) is not None:
                self._in_force_from = announced.from_block
            for finished in self._executor.read():
                take(finished.batches)

    def _favour(self, pid: int) -> None:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))
        self.scheduling = class_of(os.sched_getscheduler(pid))


def _choice(executor: Executor, knob: str) -> tuple[int, ...]:
    """The values that a knob of the executor can have, ascending; none where it has no such."""
    found = executor.knobs().get(knob)
    if found is None or not isinstance(found.domain, Choice):
        return ()
    return tuple(sorted(each for each in found.domain.values if isinstance(each, int)))


@contextmanager
def executor_subject(
    config: Config, workload: str, slots: int, clock: Time | None = None
) -> Iterator[ExecutorSubject]:
    """A worker at work by the machine's clock or another; whatever happens, no process is left."""
    made = ExecutorSubject(config, workload, slots, clock or MonotonicTime())
    made.start()
    try:
        yield made
    finally:
        made.stop()

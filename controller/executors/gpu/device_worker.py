"""The life of the process that has the device: opened, at work, ended, tried again."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial

from controller.errors import DeviceOpeningError, KapellmeisterError
from controller.executors.batch import FinishedBatches
from controller.executors.cpu.ring import Ring
from controller.executors.executor import Process
from controller.executors.gpu.heartbeat import Heartbeat
from controller.executors.processes import ProcessGroup
from controller.linux.process_state import STOPPED, state_of

OPENING_S = 120.0
"""Seconds within which a device must have been opened, its kernels compiled and captured."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Seconds from the end of a worker to the next attempt: each pause is twice the one before."""
REMEDY = 'run `kapellmeister doctor`, or play on the CPU with device = "cpu"'
TOO_LATE = f"the device did not open in time; {REMEDY}"
OPENED = b"\n"

Run = Callable[[Callable[[], None]], None]
"""Runs a worker, and calls what it is given once its device is open."""


class DeviceWorker:
    """One worker process at a time; one that ends is replaced, after a pause that grows.

    `make_run` gives what the worker of a number does. One that has worked for longer than the
    longest pause is replaced after the shortest. One that hangs, as `heartbeat` tells, is ended.
    """

    def __init__(
        self,
        executor: str,
        ring: Ring,
        processes: ProcessGroup,
        make_run: Callable[[int], Run],
        heartbeat: Heartbeat,
    ) -> None:
        self._executor = executor
        self._ring = ring
        self._processes = processes
        self._make_run = make_run
        self._heartbeat = heartbeat
        self._process: Process | None = None
        self._pause_s = FIRST_PAUSE_S
        self._next_attempt_s = self._began_s = 0.0
        self._is_killed = False
        self._left: list[FinishedBatches] = []
        self.number = 0

    @property
    def is_at_work(self) -> bool:
        """Whether it renders, or would."""
        return self._process is not None and self._ring.is_open and not self._is_killed

    @property
    def is_starting(self) -> bool:
        """Whether it has been started and is not at work yet."""
        return self._process is not None and not self._ring.is_open

    def stands_still(self, due: int) -> bool:
        """Whether it was stopped before it was through with a block that is due."""
        if self._process is None or not self.is_at_work or self._ring.passed >= due:
            return False
        return state_of(self._process.pid) in STOPPED

    def kill(self) -> None:
        """End it; that is told as an end of its own accord."""
        if self._process is not None:
            self._is_killed = True
            self._processes.kill(self._process)

    def open(self, number: int) -> None:
        """Start it, and wait until its device is open. Raises DeviceOpeningError with its words."""
        said, saying = os.pipe()
        try:
            self._start(number, saying)
            os.close(saying)
            ready = select.select([said], [], [], OPENING_S)[0]
            answer = os.read(said, 4096) if ready else TOO_LATE.encode()
        finally:
            os.close(said)
        if answer != OPENED:
            words = answer.decode(errors="replace").strip()
            raise DeviceOpeningError(self._executor, words or f"its worker ended; {REMEDY}")

    def retry(self, numbers: Iterator[int]) -> None:
        """Start one anew, by the next number, if none runs and the pause is over."""
        if self._process is None and time.monotonic() >= self._next_attempt_s:
            self._start(next(numbers), None)

    def end_if_hung(self) -> bool:
        """End one that hangs, or has not opened in time; whether it is one that was at work.

        It is no longer at work from then on, even where its driver does not let it go.
        """
        if self._process is None or self._is_killed:
            return False
        was_at_work = self.is_at_work
        hangs = self._heartbeat.has_stopped() if was_at_work else self._opens_too_long()
        if hangs:
            sys.stderr.write(f"{self._process.name} hangs and is ended\n")
            self.kill()
        return hangs and was_at_work

    def bury(self, ended: Collection[Process]) -> bool:
        """Take note if it is among the processes that have ended; whether it is."""
        if self._process not in ended:
            return False
        now_s = time.monotonic()
        if now_s - self._began_s > LONGEST_PAUSE_S:
            self._pause_s = FIRST_PAUSE_S
        self._next_attempt_s = now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._process = None
        self._left.append(FinishedBatches(self.number, *self._ring.read()))
        self._ring.recycle()
        return True

    def read(self) -> list[FinishedBatches]:
        """Batches that it has finished since the last call, and those of one that has ended."""
        left, self._left = self._left, []
        return [*left, FinishedBatches(self.number, *self._ring.read())]

    def _opens_too_long(self) -> bool:
        return time.monotonic() - self._began_s > OPENING_S

    def _start(self, number: int, saying: int | None) -> None:
        self.number, self._began_s, self._is_killed = number, time.monotonic(), False
        run = self._make_run(number)

        def work() -> None:
            say = partial(_say, saying)
            try:
                run(lambda: say(OPENED))
            except Exception as error:
                say(_in_a_line(error).encode())
                raise

        self._process = self._processes.start(f"km-gpu-{number}", "audio", work)


def _in_a_line(error: Exception) -> str:
    if isinstance(error, KapellmeisterError):
        return str(error)
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _say(descriptor: int | None, words: bytes) -> None:
    """Tell whoever waits; where nobody does, what goes wrong stands in the log."""
    if descriptor is not None:
        os.write(descriptor, words)

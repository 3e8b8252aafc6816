"""The timetable, told through shared memory to workers that were started before there was one."""

from __future__ import annotations

import mmap
import time

import numpy as np
from numpy.typing import NDArray

from controller.executors.timetable import Timetable

POLL_S = 0.002


class StartLine:
    """Where workers wait until it is known when blocks are captured; inherited by fork."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 64)
        self._told: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 1, 0)
        self._instants: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 3, 8)
        self._period_ns: NDArray[np.float64] = np.frombuffer(self._memory, np.float64, 1, 32)

    def tell(self, timetable: Timetable) -> None:
        """Let all go who wait, and who come."""
        self._instants[:] = timetable.start_ns, timetable.deadline_ns, timetable.buffer_ns
        self._period_ns[0] = timetable.period_ns
        self._told[0] = 1

    def wait(self) -> Timetable:
        """The timetable, once it is told."""
        while not self._told[0]:
            time.sleep(POLL_S)
        start_ns, deadline_ns, buffer_ns = self._instants.tolist()
        return Timetable(start_ns, float(self._period_ns[0]), deadline_ns, buffer_ns)

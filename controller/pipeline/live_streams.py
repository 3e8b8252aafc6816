"""Makes streams come and go as the load trace says."""

from __future__ import annotations

from controller.executors.executor import Executor, Task
from controller.load.trace import LoadTrace


class LiveStreams:
    """Holds as many live streams as the trace asks for; the longest-lived leave first."""

    def __init__(self, executor: Executor, trace: LoadTrace, slots: int) -> None:
        self._executor = executor
        self._trace = trace
        self._live: list[int] = []
        self._free = list(range(slots))
        self._followed_s = 0.0
        self.peak = 0

    @property
    def count(self) -> int:
        """Streams that are live."""
        return len(self._live)

    def follow(self, elapsed_s: float) -> None:
        """Admit or release streams; a gap in the trace changes nothing."""
        load = self._trace.highest(self._followed_s, elapsed_s)
        self._followed_s = elapsed_s
        if load is None:
            return
        wanted = min(round(load), len(self._live) + len(self._free))
        while len(self._live) < wanted:
            slot = self._free.pop(0)
            self._executor.schedule_task(Task("audio", f"stream {slot}", slot=slot))
            self._live.append(slot)
        while len(self._live) > wanted:
            slot = self._live.pop(0)
            self._executor.release(slot)
            self._free.append(slot)
        self.peak = max(self.peak, len(self._live))

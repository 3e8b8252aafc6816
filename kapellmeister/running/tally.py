"""Control's doings and its cost, added up over a run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable

import numpy as np

from controller.errors import ThreadGoneError
from controller.linux.process_id import ProcessId, identify_process
from controller.sensors.cpu import ProcessSensor
from controller.tick import Tick
from kapellmeister.running.report import OverheadFigures
from policies.observation import fresh
from policies.proposal import Verdict

HELPERS_EVERY = 10


class Tally:
    """An instrument of the loop; `helpers` are processes whose cost counts as control too.

    Some come and go. `beside_s` tells the processor time of those that are over.
    """

    def __init__(
        self, helpers: Callable[[], Iterable[int]], beside_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._beside_s = beside_s
        self._helpers = helpers
        self._used_s: dict[ProcessId, float] = {}
        self._started_s = time.monotonic()
        self._cpu_s_at_start = self._cpu_s()
        self._tick_ms: list[float] = []
        self._steal: list[float] = []
        self._overruns = 0
        self._view_cpu_s = 0.0
        self.decisions = 0
        self.rollbacks = 0

    def __call__(self, tick: Tick) -> None:
        """Take in a tick."""
        self._tick_ms.append(tick.duration_ms)
        self._overruns = tick.overruns
        if len(self._tick_ms) % HELPERS_EVERY == 0:
            self._cpu_s()  # or the cost of one that ends before the run would be lost
        self.decisions += len(tick.changes)
        self.rollbacks += sum(each.verdict is Verdict.ROLLED_BACK for each in tick.verifications)
        steal = fresh(tick.observation.get("cpu.steal_share"))
        if steal is not None:
            self._steal.append(steal)

    def leave_out(self, cpu_s: float) -> None:
        """Processor time that is not control: drawing the live view."""
        self._view_cpu_s += cpu_s

    @property
    def steal_share(self) -> float | None:
        """Mean share of processor time that the hypervisor took; None where it is not told."""
        return float(np.mean(self._steal)) if self._steal else None

    def overhead(self) -> OverheadFigures:
        """The cost of control since the start."""
        wall_s = time.monotonic() - self._started_s
        used_s = self._cpu_s() - self._cpu_s_at_start - self._view_cpu_s
        p50, p99 = np.quantile(self._tick_ms, (0.5, 0.99)) if self._tick_ms else (None, None)
        return OverheadFigures(
            cpu_share=used_s / wall_s,
            tick_ms_p50=p50,
            tick_ms_p99=p99,
            rss_mib=fresh(ProcessSensor(os.getpid()).read()["process.peak_rss_mib"]),
            ticks=len(self._tick_ms),
            overruns=self._overruns,
        )

    def _cpu_s(self) -> float:
        """Processor time of control so far; a helper that has ended costs no more."""
        for pid in (os.getpid(), *self._helpers()):
            with contextlib.suppress(ThreadGoneError):
                process = identify_process(pid)
                used_s = fresh(ProcessSensor(pid).read()["process.cpu_s"])
                self._used_s[process] = used_s or self._used_s.get(process, 0.0)
        return self._beside_s() + sum(self._used_s.values())

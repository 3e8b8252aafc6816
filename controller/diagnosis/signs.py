"""The figures that a cause can be read from, and the limits that they are held against."""

from __future__ import annotations

from dataclasses import dataclass

from controller.diagnosis.device_signs import DeviceSigns
from policies.diagnosis import Evidence
from policies.observation import Observation, fresh

BUSY = 0.85
"""Share of its processor beyond which an audio thread has no reserve left."""
QUEUEING = 0.02
"""Share of blocks that had to wait for the block before."""
STOLEN = 0.01
"""Share of processor time taken by the hypervisor; at 1 % it can hold up a block every second."""
CROWDED = 0.1
"""Share of time in which threads wait for a processor, from which that can be the cause."""
INTERPRETER = 0.2
"""Share of the time another thread of its interpreter could run, from which audio waits for it."""
SLOW = 0.7
"""Part of its speed below which a processor that is short of time is slowed down."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The figures of one interval that a cause can be read from; None where there is none."""

    miss_rate: float | None
    missed: int
    worst_lateness_ms: float | None
    compute_ms: float | None
    busy: float | None
    waited_ms: float | None
    queued: float | None
    stolen: float | None
    stolen_ms: float | None
    pressure: float | None
    inflation: float | None
    cpu_ms: float | None
    interpreter: float | None
    speed: float | None
    laggard: float | None
    typical_ms: float | None
    device: DeviceSigns

    @classmethod
    def of(cls, seen: Observation) -> Signs:
        """The figures of one interval."""
        wait, compute = seen.stages.get("wait"), seen.stages.get("compute")
        run_delay = fresh(seen.get("audio.run_delay_share"))
        stolen = fresh(seen.get("cpu.steal_share"))
        return cls(
            miss_rate=fresh(seen.miss_rate),
            missed=0 if seen.blocks is None else seen.blocks.missed,
            worst_lateness_ms=None if wait is None else fresh(wait.start_lateness.max_ms),
            compute_ms=None if compute is None else fresh(compute.service_time.max_ms),
            busy=fresh(seen.get("audio.utilisation")),
            waited_ms=None if run_delay is None else run_delay * seen.interval_s * 1000.0,
            queued=fresh(seen.get("audio.queue_share")),
            stolen=stolen,
            stolen_ms=None if stolen is None else stolen * seen.interval_s * 1000.0,
            pressure=fresh(seen.get("cpu.pressure_some_share")),
            inflation=fresh(seen.get("audio.service_inflation")),
            interpreter=fresh(seen.get("audio.interpreter_share")),
            speed=fresh(seen.get("cpu.frequency_share")),
            laggard=fresh(seen.get("audio.laggard_utilisation")),
            cpu_ms=fresh(seen.get("audio.cpu_ms_per_block")),
            typical_ms=fresh(seen.latency.p50_ms),
            device=DeviceSigns.of(seen),
        )

    @property
    def held_up_ms(self) -> float | None:
        """The longest that a thread was late to start, or in a batch and not at work."""
        idle_ms = None
        if self.compute_ms is not None and self.cpu_ms is not None:
            idle_ms = self.compute_ms - self.cpu_ms
        known = [each for each in (self.worst_lateness_ms, idle_ms) if each is not None]
        return max(known, default=None)

    def evidence(self, deadline_ms: float, target: float) -> tuple[Evidence, ...]:
        """The figures that were measured, each with the limit it was held against."""
        figures = (
            ("missed", self.miss_rate, "of the blocks", target),
            ("worst start lateness", self.worst_lateness_ms, "ms", deadline_ms),
            ("audio thread busy", self.busy, "of a processor", BUSY),
            ("audio thread waited to run", self.waited_ms, "ms", None),
            ("blocks that waited for the one before", self.queued, "of all", QUEUEING),
            ("processor time stolen", self.stolen, "of all", STOLEN),
            ("threads waited for a processor", self.pressure, "of the time", CROWDED),
            ("service time, wall to processor", self.inflation, "times", None),
            ("work per block", self.cpu_ms, "ms", BUSY * deadline_ms),
            ("another thread of its interpreter", self.interpreter, "of the time", INTERPRETER),
            ("a program that does not keep time", self.laggard, "of a processor", BUSY),
            ("processor speed", self.speed, "of the highest", SLOW),
        )
        known = (
            Evidence(name, value, unit, limit)
            for name, value, unit, limit in figures
            if value is not None
        )
        return (*known, *self.device.evidence())

"""The conditions of an interval: what its faults do to a plant and to its reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

from policies.observation import Invalid, Missing, Observation, Quantiles, Reading, Stale, Value
from simulators.plant.faults import Fault, Schedule

MISSING = Missing("no report arrived")
NOT_A_NUMBER = Invalid("nan is not a finite number")


@dataclass(frozen=True, slots=True)
class Conditions:
    """All faults of an interval in one; several of a kind add up.

    `deaths` are indices of nodes that die; `telemetry` names what happens to the report.
    """

    deaths: tuple[int, ...] = ()
    slowdown: float = 1.0
    link_factor: float = 1.0
    lost_share: float = 0.0
    memory_gone: float = 0.0
    noisy_neighbour: bool = False
    clock_offset_s: float = 0.0
    telemetry: str | None = None

    @classmethod
    def of(cls, schedule: Schedule, from_s: float, to_s: float) -> Conditions:
        """The conditions that the schedule has in store for the interval."""
        faults = schedule.active(from_s, to_s)
        if not faults:
            return UNDISTURBED
        conditions = UNDISTURBED
        for fault in faults:
            conditions = conditions.under(fault, begins=from_s <= fault.at_s < to_s)
        return conditions

    def under(self, fault: Fault, *, begins: bool) -> Conditions:
        """The conditions with a further fault; `begins` where it starts in this interval."""
        match fault.kind:
            case "node_death":
                return replace(self, deaths=(*self.deaths, fault.node)) if begins else self
            case "slow_gpu":
                return replace(self, slowdown=self.slowdown * fault.amount)
            case "link_slow":
                return replace(self, link_factor=self.link_factor * fault.amount)
            case "link_loss":
                return replace(self, lost_share=min(1.0, self.lost_share + fault.amount))
            case "gpu_out_of_memory":
                return replace(self, memory_gone=max(self.memory_gone, fault.amount))
            case "noisy_neighbour":
                return replace(self, noisy_neighbour=True)
            case "clock_step":
                return replace(self, clock_offset_s=self.clock_offset_s + fault.amount)
            case "controller_restart":
                return self
            case telemetry:
                return replace(self, telemetry=telemetry)

    def distort(self, seen: Observation, last: Observation | None) -> Observation:
        """The report as it arrives; `last` is the one before the trouble began."""
        match self.telemetry:
            case None:
                return seen
            case "telemetry_frozen" if last is not None:
                return replace(last, time_s=seen.time_s)
            case "telemetry_stale" if last is not None:
                return _with_readings(last, seen.time_s, _stale(seen.time_s - last.time_s))
            case "telemetry_nan":
                return _with_readings(seen, seen.time_s, lambda _: NOT_A_NUMBER)
            case _:
                return Observation(seen.time_s, seen.interval_s, MISSING)


def _stale(age_s: float) -> Callable[[Reading], Reading]:
    def aged(reading: Reading) -> Reading:
        return Stale(reading.value, age_s) if isinstance(reading, Value) else reading

    return aged


def _with_readings(
    seen: Observation, time_s: float, change: Callable[[Reading], Reading]
) -> Observation:
    """Every reading changed, and no blocks: a count that cannot be trusted is none."""
    quantiles = seen.latency
    latency = Quantiles(
        change(quantiles.p50_ms),
        change(quantiles.p95_ms),
        change(quantiles.p99_ms),
        change(quantiles.max_ms),
    )
    readings = {name: change(reading) for name, reading in seen.readings.items()}
    return replace(
        seen,
        time_s=time_s,
        load=change(seen.load),
        blocks=None,
        latency=latency,
        readings=MappingProxyType(readings),
    )


UNDISTURBED = Conditions()

"""Observations: all that was seen of a plant in one control interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Value:
    """A reading that arrived, in time, and is a finite number."""

    value: float


@dataclass(frozen=True, slots=True)
class Missing:
    """No reading arrived, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stale:
    """The last reading that arrived, and its age in seconds."""

    value: float
    age_s: float


@dataclass(frozen=True, slots=True)
class Invalid:
    """A reading arrived and cannot be true: NaN, infinite, negative where that is impossible."""

    reason: str


Reading = Value | Missing | Stale | Invalid
NOT_REPORTED = Missing("not reported")
NO_BLOCKS_REPORTED = Missing("the plant reported no blocks")
NO_BLOCK_SUBMITTED = Missing("no block was submitted")


def reading(value: float | None, *, minimum: float = -math.inf) -> Reading:
    """Judge a raw number, so that no NaN or None travels on as if it were a measurement."""
    if value is None:
        return NOT_REPORTED
    if not math.isfinite(value):
        return Invalid(f"{value} is not a finite number")
    if value < minimum:
        return Invalid(f"{value:g} is below {minimum:g}")
    return Value(float(value))


def fresh(reading: Reading) -> float | None:
    """The number of a reading that can be acted on; None for every other kind."""
    return reading.value if isinstance(reading, Value) else None


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """Blocks of streams by outcome; one block is one period of one stream."""

    on_time: int = 0
    late: int = 0
    concealed: int = 0
    lost: int = 0

    @property
    def submitted(self) -> int:
        """All blocks: submitted = on_time + late + concealed + lost, at all times."""
        return self.on_time + self.late + self.concealed + self.lost

    @property
    def missed(self) -> int:
        """Blocks that were not on time."""
        return self.late + self.concealed + self.lost

    @property
    def miss_rate(self) -> float | None:
        """Missed share of the submitted blocks; None where nothing was submitted."""
        submitted = self.submitted
        return self.missed / submitted if submitted else None

    def __add__(self, other: BlockCounts) -> BlockCounts:
        return BlockCounts(
            self.on_time + other.on_time,
            self.late + other.late,
            self.concealed + other.concealed,
            self.lost + other.lost,
        )

    def __sub__(self, other: BlockCounts) -> BlockCounts:
        return BlockCounts(
            self.on_time - other.on_time,
            self.late - other.late,
            self.concealed - other.concealed,
            self.lost - other.lost,
        )


Counted = Literal["blocks", "cycles"]
"""Kinds of a plant's blocks: blocks by outcome, or a server's cycles, played or missed."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Four readings of one distribution, in milliseconds."""

    p50_ms: Reading
    p95_ms: Reading
    p99_ms: Reading
    max_ms: Reading


NO_QUANTILES = Quantiles(*(Missing("nothing was measured"),) * 4)


@dataclass(frozen=True, slots=True)
class StageTimes:
    """A stage of a block: how late it started, and how long it took once it had.

    Start lateness is counted from the instant at which the stage could have started;
    pre-emption falls into it as well as into the service time.
    """

    start_lateness: Quantiles
    service_time: Quantiles


JITTER = 0.1
"""Part of an interval by which the clocks of a tick and of what it saw may differ."""
NO_STAGES: Mapping[str, StageTimes] = MappingProxyType({})
NO_READINGS: Mapping[str, Reading] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Observation:
    """A control interval of a plant.

    `time_s` is the clock at the end of the interval, in seconds since the epoch;
    `interval_s` its length. `load` counts `load_unit` and is Missing on a plant that has
    no such thing (JACK has no streams). `blocks` is None where the plant said nothing.
    `readings` holds everything else by name, `component.quantity_unit`: `cpu.utilisation`,
    `cpu.steal_share`, `gpu.memory_used_bytes`. `events` are what the plant itself reports, each
    once: that its server is gone, or back again.

    `deadline_ms` is the plant's deadline now, None where it is the one of the configuration.
    `no_deadline` is why none holds in this interval (the server freewheels, nothing plays): then
    no block is counted and no knob turned. `discontinuity` is what makes this interval and those
    after it incomparable with those before: another start of the server, another driver, a new
    client. `counted_s` is the clock at the first and the last of what `blocks` counts; None where
    that is the interval itself.
    """

    time_s: float
    interval_s: float
    load: Reading = NOT_REPORTED
    load_unit: str = "streams"
    blocks: BlockCounts | None = None
    latency: Quantiles = NO_QUANTILES
    stages: Mapping[str, StageTimes] = field(default_factory=lambda: NO_STAGES)
    readings: Mapping[str, Reading] = field(default_factory=lambda: NO_READINGS)
    events: tuple[str, ...] = ()
    deadline_ms: float | None = None
    no_deadline: str = ""
    discontinuity: str = ""
    counted_s: tuple[float, float] | None = None

    def counts_after(self, time_s: float) -> bool:
        """Whether all that `blocks` counts came after that, give or take a tenth of an interval."""
        from_s = self.time_s - self.interval_s if self.counted_s is None else self.counted_s[0]
        return from_s >= time_s - JITTER * self.interval_s

    @property
    def counted_until_s(self) -> float:
        """The clock up to which `blocks` counts."""
        return self.time_s if self.counted_s is None else self.counted_s[1]

    @property
    def miss_rate(self) -> Reading:
        """Missed share of the interval's blocks."""
        if self.blocks is None:
            return Missing(self.no_deadline) if self.no_deadline else NO_BLOCKS_REPORTED
        miss_rate = self.blocks.miss_rate
        return NO_BLOCK_SUBMITTED if miss_rate is None else Value(miss_rate)

    def get(self, name: str) -> Reading:
        """A reading by its name; `miss_rate`, `load` and `latency_p99_ms` are names too."""
        reading = self.readings.get(name)
        if reading is not None:
            return reading
        if name == "miss_rate":
            return self.miss_rate
        if name == "load":
            return self.load
        return self.latency.p99_ms if name == "latency_p99_ms" else NOT_REPORTED

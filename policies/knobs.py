"""Knobs: how far each can be turned, and the cost of turning it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import IntEnum, StrEnum
from typing import cast


class SchedulingClass(StrEnum):
    """How the kernel chooses among runnable threads; each class yields to the ones before it."""

    REALTIME = "realtime"
    NORMAL = "normal"
    BATCH = "batch"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class ThreadClass:
    """How all threads of one class of work are scheduled.

    `priority` is 1 to 99 where real-time (higher runs first), otherwise 0; `nice` is -20 to
    19 elsewhere (lower runs first). `cpus` is None where any processor will do.
    `share` is the part of all processor time that the class may use, None for no bound.
    """

    scheduling: SchedulingClass = SchedulingClass.NORMAL
    priority: int = 0
    nice: int = 0
    cpus: frozenset[int] | None = None
    share: float | None = None

    def __str__(self) -> str:
        level = f" nice {self.nice}" if self.nice else ""
        if self.scheduling is SchedulingClass.REALTIME:
            level = f" {self.priority}"
        words = f"{self.scheduling}{level}"
        cpus = "" if self.cpus is None else f" cpu {','.join(map(str, sorted(self.cpus)))}"
        share = "" if self.share is None else f" <= {self.share:.0%}"
        return words + cpus + share


@dataclass(frozen=True, slots=True)
class ThreadClasses:
    """The four classes of work, and how each is scheduled."""

    audio: ThreadClass = ThreadClass()
    analysis: ThreadClass = ThreadClass()
    visualisation: ThreadClass = ThreadClass()
    background: ThreadClass = ThreadClass()

    def items(self) -> Iterator[tuple[str, ThreadClass]]:
        """Name and scheduling of each class."""
        return ((each.name, getattr(self, each.name)) for each in fields(self))

    def __str__(self) -> str:
        return "; ".join(f"{name} {value}" for name, value in self.items())


KnobValue = int | float | str | ThreadClasses
OURS = "us"
"""The owner of a knob that nobody but this controller turns."""


class Direction(IntEnum):
    """Which way a knob is turned: shrinking gives capacity or protection back."""

    SHRINK = -1
    SAME = 0
    GROW = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """Whole numbers from `low` to `high`; one change moves at most `step`."""

    low: int
    high: int
    step: int = 1

    def allows(self, value: KnobValue) -> bool:
        """Whether the value lies within the bounds."""
        return isinstance(value, int) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of values, in ascending order of what they protect or provide."""

    values: tuple[KnobValue, ...]

    def allows(self, value: KnobValue) -> bool:
        """Whether the value is among those named."""
        return value in self.values

    def others(self, value: KnobValue) -> tuple[KnobValue, ...]:
        """The values other than this one, the nearest first."""
        here = self.values.index(value) if value in self.values else 0
        places = sorted(range(len(self.values)), key=lambda place: abs(place - here))
        return tuple(self.values[place] for place in places if self.values[place] != value)

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.values))


@dataclass(frozen=True, slots=True)
class AnyThreadClasses:
    """Scheduling of the classes of work, as far as this plant permits it.

    `realtime` is False where the kernel refuses real-time scheduling, `nice` where it
    refuses a raised nice level, `demotion` where a lowered one and the idle class could not be
    undone. `priority_max` stays below the plant's own driver;
    `cpus` are the processors that exist. `reserve_share` of them is never given out.
    `classes` are those that this plant has threads of.
    """

    realtime: bool = True
    nice: bool = True
    priority_max: int = 70
    cpus: frozenset[int] = frozenset()
    reserve_share: float = 0.15
    demotion: bool = True
    classes: frozenset[str] = frozenset({"audio", "analysis", "visualisation", "background"})

    def allows(self, value: KnobValue) -> bool:
        """Whether every class asks only for what is permitted here."""
        return isinstance(value, ThreadClasses) and all(
            self.permits(each) for _, each in value.items()
        )

    def permits(self, value: ThreadClass) -> bool:
        """Whether a class asks only for what is permitted here."""
        realtime = value.scheduling is SchedulingClass.REALTIME
        if realtime and not (self.realtime and 1 <= value.priority <= self.priority_max):
            return False
        if not realtime and (value.priority != 0 or not -20 <= value.nice <= 19):
            return False
        if value.nice < 0 and not self.nice:
            return False
        if _is_demoted(value) and not self.demotion:
            return False
        if value.share is not None and not 0.0 < value.share <= 1.0 - self.reserve_share:
            return False
        return value.cpus is None or (bool(value.cpus) and value.cpus <= self.cpus)

    def __str__(self) -> str:
        return "real-time permitted" if self.realtime else "real-time refused"


def _is_demoted(value: ThreadClass) -> bool:
    return value.scheduling is SchedulingClass.IDLE or value.nice > 0


Domain = Bounds | Choice | AnyThreadClasses


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting that a plant lets us turn.

    `resource` names what it acts on: two changes on one resource are never evaluated at
    once. `delay_s` is how long a change takes to be in force (learned as it goes, this is
    the start); `settle_s` how long after that its effect can be judged. `disruption_ms` is
    the sound a change interrupts, 0 where it drops nothing. `owner` names the scaler that
    turns it where that is another, which is only told what is desired. `undone` is why the plant
    itself took back what had been set, empty where it did not: nobody may set that again unasked.
    `lapsed` is why it did where nothing speaks against turning it again at once. `awaits` is what
    the plant itself has just put in force again, empty where nothing: until its effect is known,
    nothing on that resource is turned. `obstacle` is why this knob must not be turned as things
    are, empty where it may.
    """

    id: str
    domain: Domain
    resource: str
    delay_s: float = 0.0
    settle_s: float = 2.0
    disruption_ms: float = 0.0
    owner: str = OURS
    undone: str = ""
    lapsed: str = ""
    awaits: str = ""
    obstacle: str = ""

    def direction(self, before: KnobValue, after: KnobValue) -> Direction:
        """Which way the change goes."""
        if before == after:
            return Direction.SAME
        return Direction.GROW if self._rank(after) > self._rank(before) else Direction.SHRINK

    def _rank(self, value: KnobValue) -> float:
        if isinstance(value, ThreadClasses):
            return _protection(value)
        if isinstance(self.domain, Choice):
            return self.domain.values.index(value) if value in self.domain.values else -1
        return float(value)


_PRECEDENCE = {
    SchedulingClass.REALTIME: 3,
    SchedulingClass.NORMAL: 2,
    SchedulingClass.BATCH: 1,
    SchedulingClass.IDLE: 0,
}


def _protection(classes: ThreadClasses) -> float:
    """How far the audio class stands above all the others: what a change of classes buys."""

    def level(value: ThreadClass) -> float:
        fine = value.priority / 100 if value.priority else -value.nice / 40
        return _PRECEDENCE[value.scheduling] + fine

    others = [level(value) for name, value in classes.items() if name != "audio"]
    own_cpus = 1.0 if classes.audio.cpus is not None else 0.0
    return 3 * level(classes.audio) - sum(others) + own_cpus


@dataclass(frozen=True, slots=True, eq=True)
class Settings(Mapping[str, KnobValue]):
    """Which value each knob has; immutable, and typed for the built-in five."""

    values_by_knob: tuple[tuple[str, KnobValue], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, KnobValue]) -> Settings:
        """Settings with these values."""
        return cls(tuple(sorted(values.items(), key=lambda item: item[0])))

    def __getitem__(self, knob: str) -> KnobValue:
        for each, value in self.values_by_knob:
            if each == knob:
                return value
        raise KeyError(knob)

    def __iter__(self) -> Iterator[str]:
        return (knob for knob, _ in self.values_by_knob)

    def __len__(self) -> int:
        return len(self.values_by_knob)

    def turned(self, knob: str, value: KnobValue) -> Settings:
        """The settings with one knob at another value."""
        return Settings.of({**self, knob: value})

    @property
    def vram_block_bytes(self) -> int:
        """Size of one block of GPU memory, bytes."""
        return cast(int, self["vram_block_bytes"])

    @property
    def thread_classes(self) -> ThreadClasses:
        """Scheduling of each class of work."""
        return cast(ThreadClasses, self["thread_classes"])

    @property
    def batch_size(self) -> int:
        """Streams per kernel call."""
        return cast(int, self["batch_size"])

    @property
    def nodes(self) -> int:
        """Units of placement: worker processes, ranks, pods."""
        return cast(int, self["nodes"])

    @property
    def period_frames(self) -> int:
        """Frames per block."""
        return cast(int, self["period_frames"])


@dataclass(frozen=True, slots=True)
class KnobState:
    """The three states of a knob: what the policy wants, what was asked for, what is in force.

    None where nothing was planned or requested yet, or where the plant did not say what is
    in force. `requested_at_s` is the clock at the last request.
    """

    planned: KnobValue | None = None
    requested: KnobValue | None = None
    observed: KnobValue | None = None
    requested_at_s: float | None = None

    def seen(self, value: KnobValue | None) -> KnobState:
        """The state with what the plant now reports in force."""
        return replace(self, observed=value)

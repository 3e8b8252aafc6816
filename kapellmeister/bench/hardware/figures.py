"""Rows of `bench hardware`: a figure beside its goal and the document's, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from kapellmeister.bench.spread import Spread
from kapellmeister.machine.description import Machine
from simulators.figures import Figures

NOT_MEASURED = "not measured"


class Row(Figures):
    """One figure: median and range over rounds, and the 99 % quantile of all repetitions.

    `measured` is None where there is no figure, and `why_not` then says why. `document` is what the
    owner's document has in its place. `goal` says whether it was met.
    """

    part: str
    name: str
    unit: str
    measured: Spread | None = None
    p99: float | None = None
    document: float | None = None
    goal: str = ""
    why_not: str = ""


class DeviceFigures(Figures):
    """The device by its own account, and what drives it; None for what an emulated one lacks.

    `cuda` and `nvrtc` are versions as NVIDIA counts them: 13020 is 13.2; so is `driver`, the
    version of CUDA that the driver is for.
    """

    name: str
    multiprocessors: int
    compute_capability: tuple[int, int] | None
    memory_bytes: int
    slice_of: str | None
    driver: int | None
    cuda: int | None
    cupy: str | None
    nvrtc: int | None


class HardwareReport(Figures):
    """All rows so far; `is_complete` once every experiment had its turn."""

    machine: Machine
    device: DeviceFigures
    sample_rate_hz: int
    period_frames: int
    taps: int
    budget_s: float
    took_s: float
    is_complete: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """What was asked for, of a GPU of a data centre or of any machine."""

    limit: float
    is_most: bool = False
    is_of_gpu: bool = True

    def words(self, measured: float | None) -> str:
        """`>= 30: met`; a figure that is None was not measured."""
        sign = "<=" if self.is_most else ">="
        if measured is None:
            return f"{sign} {self.limit:g}: {NOT_MEASURED}"
        met = measured <= self.limit if self.is_most else measured >= self.limit
        return f"{sign} {self.limit:g}: {'met' if met else 'not met'}"


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure that was found for a row of this name."""

    name: str
    spread: Spread
    p99: float | None = None

    @classmethod
    def once(cls, name: str, value: float) -> Measured:
        """A figure that was taken once."""
        return cls(name, Spread.of([value]))


@dataclass(frozen=True, slots=True)
class Absent:
    """A row of this name that was not measured, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A row to come; `unit` is of the figure, its goal and the document's."""

    name: str
    unit: str
    goal: Goal | None = None
    document: float | None = None

    def row(self, part: str, found: Measured | Absent, *, is_real: bool) -> Row:
        """The row as it turned out; a device that is emulated is held to no goal of a GPU."""
        spread = found.spread if isinstance(found, Measured) else None
        counts = is_real or (self.goal is not None and not self.goal.is_of_gpu)
        judged = spread.median if spread is not None and counts else None
        return Row(
            part=part,
            name=self.name,
            unit=self.unit,
            measured=spread,
            p99=found.p99 if isinstance(found, Measured) else None,
            document=self.document,
            goal="" if self.goal is None else self.goal.words(judged),
            why_not=found.why if isinstance(found, Absent) else "",
        )

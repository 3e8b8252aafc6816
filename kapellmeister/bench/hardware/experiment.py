"""An experiment: the rows it promises, its share of the time, and how they come about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controller.errors import Interruption
from kapellmeister.bench.hardware.figures import Absent, Measured, Planned, Row
from kapellmeister.bench.hardware.rig import Rig

Found = Iterator[Measured | Absent]
NEEDS_CUDA = "needs CUDA, and this device is emulated"


@dataclass(frozen=True, slots=True)
class Experiment:
    """One part of the report.

    `take(rig, seconds)` gives what it finds of its rows, in about that time, which is its `weight`
    among those still to come. With less than `least_s` it is not begun.
    """

    part: str
    rows: tuple[Planned, ...]
    weight: float
    take: Callable[[Rig, float], Found]
    least_s: float = 0.05
    needs_cuda: bool = False

    def run(self, rig: Rig, seconds: float) -> Iterator[Row]:
        """A row for each that was promised: measured, or why it was not."""
        left = {each.name: each for each in self.rows}
        why = self.obstacle(rig, seconds)
        if not why:
            taken = self.take(rig, seconds)
            while isinstance(found := _next(taken), Measured | Absent):
                yield left.pop(found.name).row(self.part, found, is_real=rig.is_cuda)
            why = found
        for name, planned in left.items():
            yield planned.row(self.part, Absent(name, why), is_real=rig.is_cuda)

    def obstacle(self, rig: Rig, seconds: float) -> str:
        """Why it cannot be begun in so many seconds; empty where it can."""
        if self.needs_cuda and not rig.is_cuda:
            return NEEDS_CUDA
        if seconds < self.least_s:
            left_s = max(0.0, seconds)
            return f"needs {self.least_s:g} s, and its share of the budget left was {left_s:.2f} s"
        return ""


def _next(taken: Found) -> Measured | Absent | str:
    """What was found next, or why nothing more is."""
    try:
        return next(taken)
    except StopIteration:
        return "the experiment told nothing of it"
    except Interruption:
        raise
    except Exception as error:  # noqa: BLE001 - one part that fails is a finding, told in its rows
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"

"""Operating points seen in many short looks, since a processor's speed wanders within seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kapellmeister.calibration.subject import Bench
from simulators.calibration.calibration import OperatingPoint

LOOK_S = 0.25
SLOW = 1.15
"""A look in which a stream took so many times as long as it usually does at that point: somebody
else used the same core, and what was looked at is another machine."""


@dataclass(slots=True)
class Looks:
    """Those taken of each point, in the order of the points, and how many were taken again."""

    parts: list[list[OperatingPoint]]
    period_ms: float
    scheduling: str
    repeated: int = 0

    @property
    def count(self) -> int:
        """Looks that are kept, of all points."""
        return sum(map(len, self.parts))

    @property
    def slow(self) -> list[tuple[int, int]]:
        """Point and place of those kept in which a stream took much longer than usually there."""
        found = []
        for number, looks in enumerate(self.parts):
            per_stream_ms = np.array([each.service_ms.sum() / each.counts.sum() for each in looks])
            slow = per_stream_ms > SLOW * np.median(per_stream_ms) if looks else []
            found += [(number, int(place)) for place in np.flatnonzero(slow)]
        return found

    @property
    def slow_share(self) -> float:
        """Part of the looks kept."""
        return len(self.slow) / self.count

    @property
    def repeated_share(self) -> float:
        """Looks taken again, as a part of those kept."""
        return self.repeated / self.count


def take_looks(
    bench: Bench,
    points: Sequence[tuple[int, int]],
    seconds: float,
    progress: Callable[[float], None],
) -> Looks:
    """Streams and batch size of each point, observed for so long in all, in turns.

    The order is another one each turn: a machine that drifts spoils all points alike, and none
    is always measured after a busy one, from which the processor is still fast. Slow looks are
    taken again, as many at most as were planned.
    """
    rounds = max(1, round(seconds / LOOK_S))
    planned = rounds * len(points)
    looks = Looks([[] for _ in points], bench.period_ms, bench.scheduling)
    generator = np.random.default_rng(1)

    def look(number: int) -> OperatingPoint:
        taken = looks.count + looks.repeated
        progress(taken / (planned + looks.repeated + len(looks.slow)))
        return bench.measure(*points[number], seconds / rounds)

    for _ in range(rounds):
        for number in map(int, generator.permutation(len(points))):
            looks.parts[number].append(look(number))
    while looks.slow and looks.repeated < planned:
        for number, place in generator.permutation(looks.slow)[: planned - looks.repeated]:
            looks.parts[number][place] = look(number)
            looks.repeated += 1
    progress(1.0)
    return looks

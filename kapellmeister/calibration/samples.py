"""Operating points seen in many short samples, since a processor's speed wanders within seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kapellmeister.calibration.plan import Point
from kapellmeister.calibration.subject import Subject
from simulators.calibration.calibration import OperatingPoint

SAMPLE_S = 0.25
SLOW = 1.15
"""Factor from which a stream took too long for its point: somebody else used the same core, and
the sample is one of another machine."""


@dataclass(slots=True)
class Samples:
    """Samples of each point, in the order of the points, and how many were taken again."""

    parts: list[list[OperatingPoint]]
    period_ms: float
    scheduling: str
    repeated: int = 0

    @property
    def count(self) -> int:
        """Samples that are kept, of all points."""
        return sum(map(len, self.parts))

    @property
    def slow(self) -> list[tuple[int, int]]:
        """Point and place of those kept in which a stream took much longer than usually there."""
        found = []
        for number, samples in enumerate(self.parts):
            per_stream_ms = np.array(
                [each.service_ms.sum() / each.counts.sum() for each in samples]
            )
            slow = per_stream_ms > SLOW * np.median(per_stream_ms) if samples else []
            found += [(number, int(place)) for place in np.flatnonzero(slow)]
        return found

    @property
    def slow_share(self) -> float:
        """Share of the samples kept that were slow."""
        return len(self.slow) / self.count

    @property
    def repeated_share(self) -> float:
        """Samples taken again, as a part of those kept."""
        return self.repeated / self.count


def take_samples(
    subject: Subject,
    points: Sequence[Point],
    seconds: float,
    progress: Callable[[float], None],
) -> Samples:
    """Each point, observed for so long in all, in turns.

    The order is another one each turn: a machine that drifts spoils all points alike, and none
    is always measured after a busy one, from which the processor is still fast. Slow samples are
    taken again, as many at most as were planned.
    """
    rounds = max(1, round(seconds / SAMPLE_S))
    planned = rounds * len(points)
    samples = Samples([[] for _ in points], subject.period_ms, subject.scheduling)
    generator = np.random.default_rng(1)

    def sample(number: int) -> OperatingPoint:
        taken = samples.count + samples.repeated
        progress(taken / (planned + samples.repeated + len(samples.slow)))
        streams, batch_size, *blocks = points[number]
        return subject.measure(streams, batch_size, seconds / rounds, *blocks)

    for _ in range(rounds):
        for number in map(int, generator.permutation(len(points))):
            samples.parts[number].append(sample(number))
    while samples.slow and samples.repeated < planned:
        for number, place in generator.permutation(samples.slow)[: planned - samples.repeated]:
            samples.parts[number][place] = sample(number)
            samples.repeated += 1
    progress(1.0)
    return samples

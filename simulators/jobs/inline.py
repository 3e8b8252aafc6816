"""Jobs played in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from simulators.jobs.job import Ended, Job, Progress, Result


class Inline:
    """Plays jobs here and now; a job that ends its process ends this one."""

    def play(
        self,
        jobs: tuple[Job[Result], ...],
        take: Callable[[int, Result | Ended], None],
        progress: Progress,
    ) -> None:
        """Play all jobs in order, with the progress within each."""
        for number, job in enumerate(jobs):
            take(number, job.play(_part_of(progress, number, len(jobs))))
            progress((number + 1) / len(jobs))


def _part_of(progress: Progress, number: int, pieces: int) -> Progress:
    """Progress within one piece of the work, of equal pieces."""
    return lambda part: progress((number + part) / pieces)

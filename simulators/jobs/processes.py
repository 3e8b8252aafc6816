"""Jobs played by processes of this machine, as many as there are cores."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from simulators.jobs.job import Ended, Job, Progress, Result
from simulators.jobs.outcome import unpacked
from simulators.jobs.players import Players


@dataclass(frozen=True, slots=True)
class Processes:
    """Plays `at_once` jobs at a time, or as many as there are cores; each thread waits for one."""

    at_once: int | None = None

    def play(
        self,
        jobs: tuple[Job[Result], ...],
        take: Callable[[int, Result | Ended], None],
        progress: Progress,
    ) -> None:
        """Play all jobs; the processes end with the last of them, or with what is raised."""
        players = Players()
        with ThreadPoolExecutor(self.at_once or os.cpu_count()) as threads:
            numbers = {
                threads.submit(_play, players, job): number for number, job in enumerate(jobs)
            }
            try:
                for done, future in enumerate(as_completed(numbers), 1):
                    take(numbers[future], unpacked(future.result()))
                    progress(done / len(jobs))
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
                players.end()


def _play(players: Players, job: Job[Result]) -> bytes:
    return players.play(pickle.dumps(job))

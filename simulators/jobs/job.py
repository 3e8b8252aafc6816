"""A job: one piece of an experiment that can be played anywhere, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

Result = TypeVar("Result")
ResultOut = TypeVar("ResultOut", covariant=True)
Progress: TypeAlias = Callable[[float], None]
"""Function that is told the part of the work that is done, from 0 to 1."""


class Job(Protocol[ResultOut]):
    """One piece of work. It can be pickled, and so can its result, which depends on it alone."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that are read while it is played: the code of plug-ins."""
        ...

    def play(self, progress: Progress) -> ResultOut:
        """Its result; raises what keeps the whole experiment from going on."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome of a job that ended the process it was played in."""


class JobExecutor(Protocol):
    """Plays jobs, somewhere."""

    def play(
        self,
        jobs: tuple[Job[Result], ...],
        take: Callable[[int, Result | Ended], None],
        progress: Progress,
    ) -> None:
        """Play all jobs; `take` is given each number and outcome, in any order, in this thread.

        Whatever ends this, nothing of it is left at work. Raises JobError for a job that raises.
        """
        ...


def unseen(part: float) -> None:
    """Progress that nobody follows."""
    del part

"""What a journal holds, read back as the values that were written."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from controller.database import Database
from controller.errors import JournalError
from controller.plain import from_plain
from controller.tick import Tick


@dataclass(frozen=True, slots=True)
class Run:
    """One run as recorded; `ended_at_s` and `summary` are None where it was cut short."""

    number: int
    plant: str
    policy: str
    config: Mapping[str, Any]
    started_at_s: float
    ended_at_s: float | None
    summary: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Extent:
    """Number of ticks of a run, and the time of the first and the last, seconds since epoch."""

    ticks: int
    first_s: float
    last_s: float


class JournalReader:
    """Reads a journal, also while a controller writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = Database.existing(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        columns = "id, plant, policy, config, started_at_s, ended_at_s, summary"
        rows = self._database.rows(f"SELECT {columns} FROM runs ORDER BY id")
        return [_run(*row) for row in rows]

    def run(self, number: int | None = None) -> Run:
        """The run of this number, or the latest; JournalError where there is none."""
        runs = {run.number: run for run in self.runs()}
        if not runs:
            raise JournalError(self._path, "it holds no run yet", "start `kapellmeister run`")
        if number is not None and number not in runs:
            known = f"its runs are {min(runs)} to {max(runs)}"
            raise JournalError(self._path, f"there is no run {number}", known)
        return runs[max(runs) if number is None else number]

    def ticks(self, run: int, *, eventful: bool = False) -> Iterator[Tick]:
        """The ticks of a run in order; only those in which something was decided, if asked."""
        which = "AND eventful" if eventful else ""
        query = f"SELECT record FROM ticks WHERE run = ? {which} ORDER BY number"
        for (record,) in self._database.rows(query, run):
            yield from_plain(json.loads(zlib.decompress(cast(bytes, record))), Tick)

    def extent(self, run: int) -> Extent | None:
        """How far a run reaches; None where it has no tick."""
        query = "SELECT count(*), min(time_s), max(time_s) FROM ticks WHERE run = ?"
        count, first_s, last_s = cast(tuple[Any, ...], next(self._database.rows(query, run)))
        return Extent(count, first_s, last_s) if count else None


def _run(*row: Any) -> Run:
    number, plant, policy, config, started_at_s, ended_at_s, summary = row
    known = None if summary is None else json.loads(summary)
    return Run(number, plant, policy, json.loads(config), started_at_s, ended_at_s, known)

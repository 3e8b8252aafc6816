"""The reader of a journal, which gives back the values that were written."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from controller.commands import Command
from controller.errors import JournalError
from controller.journal.database import Database
from controller.plain_json import from_plain
from controller.tick import Tick
from policies.observation import Reading


@dataclass(frozen=True, slots=True)
class Run:
    """A run as recorded; `ended_at_s` and `summary` are None where it was cut short."""

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


@dataclass(frozen=True, slots=True)
class Request:
    """A command as a person gave it; `answer` is None where the controller gave none."""

    sent_at_s: float
    command: Command
    answer: str | None


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
        return [self._run(*row) for row in rows]

    def _run(self, number: Any, *row: Any) -> Run:
        try:
            return _run(number, *row)
        except (TypeError, ValueError) as error:
            why = f"run {number} cannot be read ({error})"
            remedy = "move the journal away, a new one is made"
            raise JournalError(self._path, why, remedy) from error

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
        query = f"SELECT number, record FROM ticks WHERE run = ? {which} ORDER BY number"
        for number, record in self._database.rows(query, run):
            try:
                tick = _tick(cast(bytes, record))
            except (zlib.error, TypeError, ValueError) as error:
                why = f"tick {number} of run {run} cannot be read ({error})"
                remedy = "read it with the version that wrote it, or name another --run"
                raise JournalError(self._path, why, remedy) from error
            yield tick

    def loads(self, run: int) -> Iterator[tuple[float, Reading]]:
        """Time (seconds since epoch) and load of each tick of a run, in order."""
        for record in self.records(run):
            try:
                load = from_plain(record["observation"]["load"], Reading)
            except (KeyError, TypeError, ValueError) as error:
                raise self._unreadable(run, error) from error
            yield record["time_s"], load

    def records(
        self, run: int, since_s: float = -math.inf, *, eventful: bool = False
    ) -> Iterator[Mapping[str, Any]]:
        """The ticks of a run as the JSON that they are kept as: ten times as fast to read."""
        which = "AND eventful" if eventful else ""
        query = f"SELECT record FROM ticks WHERE run = ? AND time_s >= ? {which} ORDER BY number"
        for (record,) in self._database.rows(query, run, max(since_s, 0.0)):
            try:
                yield json.loads(zlib.decompress(cast(bytes, record)))
            except (zlib.error, TypeError, ValueError) as error:
                raise self._unreadable(run, error) from error

    def _unreadable(self, run: int, error: Exception) -> JournalError:
        why = f"a tick of run {run} cannot be read ({error})"
        return JournalError(self._path, why, "name another run")

    def commands(self, first_s: float, last_s: float) -> list[Request]:
        """The commands that people gave between these times, in order."""
        query = "SELECT sent_at_s, command, answer FROM commands WHERE sent_at_s BETWEEN ? AND ?"
        rows = self._database.rows(query + " ORDER BY id", first_s, last_s)
        return [_request(*row) for row in rows]

    def extent(self, run: int) -> Extent | None:
        """How far a run reaches; None where it has no tick."""
        query = "SELECT count(*), min(time_s), max(time_s) FROM ticks WHERE run = ?"
        count, first_s, last_s = cast(tuple[Any, ...], next(self._database.rows(query, run)))
        return Extent(count, first_s, last_s) if count else None


def _tick(record: bytes) -> Tick:
    return cast(Tick, from_plain(json.loads(zlib.decompress(record)), Tick))


def _request(sent_at_s: Any, command: Any, answer: Any) -> Request:
    return Request(sent_at_s, from_plain(json.loads(command), Command), answer)


def _run(*row: Any) -> Run:
    number, plant, policy, config, started_at_s, ended_at_s, summary = row
    known = None if summary is None else _object(summary)
    ended_at_s = None if ended_at_s is None else float(ended_at_s)
    return Run(number, plant, policy, _object(config), float(started_at_s), ended_at_s, known)


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, found {text[:20]!r}")
    return found

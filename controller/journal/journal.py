"""The append-only record of everything a controller saw, decided and did."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

from controller.commands import Command
from controller.errors import KernelFileError
from controller.journal.command_queue import CommandQueue
from controller.journal.database import Database
from controller.linux.kernel_files import read_text
from controller.linux.process_id import PROC
from controller.linux.scheduling import ThreadId
from controller.plain_json import JsonValue, to_plain
from controller.tick import Tick
from controller.watchdog.restoration import Original, RestoreCommand
from controller.watchdog.watchdog import decode, encode

DAY_S = 86_400.0
LEARNED = "forecaster of "
"""Key, before the name of a plant, under which what was learned of its load is kept."""
COMPRESSION = 1


class Journal:
    """Writes the record of one controller, one transaction a tick.

    Whatever happens to this process, at most the tick in flight is lost. All methods raise
    JournalError where the file cannot be written.
    """

    def __init__(self, database: Database, now_s: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now_s = now_s
        self._commands = CommandQueue(database, now_s)
        self._run: int | None = None
        self._plant = ""
        self._kept: tuple[Mapping[ThreadId, Original], tuple[RestoreCommand, ...]] | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal, or begin it; JournalError says why that is impossible."""
        return cls(Database.create(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start_run(self, plant: str, policy: str, config: str) -> int:
        """Begin a run, whose ticks are recorded from now on; its number. `config` is JSON."""
        statement = "INSERT INTO runs (plant, policy, config, started_at_s) VALUES (?, ?, ?, ?)"
        cursor = self._database.execute(statement, plant, policy, config, self._now_s())
        self._run, self._plant = cursor.lastrowid, plant
        return cursor.lastrowid or 0

    def record(
        self,
        tick: Tick,
        saved: Callable[[], JsonValue],
        learned: Callable[[], JsonValue] | None = None,
    ) -> None:
        """Keep a tick, and what the next start needs to go on from it.

        What the forecaster learned is part of that; where it is not given, the last one stays.
        """
        record = zlib.compress(_dump(to_plain(tick)).encode(), COMPRESSION)
        row = (self._run, tick.number, tick.time_s, _is_eventful(tick), record)
        with self._database.transaction():
            self._database.execute("INSERT INTO ticks VALUES (?, ?, ?, ?, ?)", *row)
            self._remember(self._plant, saved())
            if learned is not None:
                self._remember(LEARNED + self._plant, learned())

    def end_run(self, summary: str) -> None:
        """Close the run with its summary, as JSON; what it changed may still be restored."""
        statement = "UPDATE runs SET ended_at_s = ?, summary = ? WHERE id = ?"
        self._database.execute(statement, self._now_s(), summary, self._run)

    def last_saved(self, plant: str) -> JsonValue:
        """The state saved with the last tick recorded on this plant; None where there is none."""
        saved, learned = self._remembered(plant), self._remembered(LEARNED + plant)
        if isinstance(saved, dict) and learned is not None:
            return {**saved, "forecaster": learned}
        return saved

    def _remember(self, key: str, saved: JsonValue) -> None:
        self._database.execute("INSERT OR REPLACE INTO memories VALUES (?, ?)", key, _dump(saved))

    def _remembered(self, key: str) -> JsonValue:
        rows = self._database.rows("SELECT memory FROM memories WHERE plant = ?", key)
        (text,) = next(rows, ("null",))
        return cast(JsonValue, json.loads(cast(str, text)))

    def prune(self, keep_days: float) -> int:
        """Delete the runs that ended longer ago than that; how many. Before `start_run`."""
        ended = "coalesce(ended_at_s, (SELECT max(time_s) FROM ticks WHERE run = id), started_at_s)"
        horizon_s = self._now_s() - keep_days * DAY_S
        deleted = self._database.execute(f"DELETE FROM runs WHERE {ended} < ?", horizon_s).rowcount
        self._database.execute("DELETE FROM commands WHERE sent_at_s < ?", horizon_s)
        if deleted:
            self._database.execute("PRAGMA incremental_vacuum").fetchall()
        return deleted

    def keep_originals(
        self, originals: Mapping[ThreadId, Original], settings: tuple[RestoreCommand, ...] = ()
    ) -> None:
        """Keep how threads and settings were found, should we and the watchdog both die."""
        if (originals, settings) == self._kept:
            return
        threads: list[object] = [encode(*each) for each in originals.items()]
        with self._database.transaction():
            self._database.execute("DELETE FROM originals")
            for registration in (*threads, *settings):
                row = (_boot(), _dump(cast(JsonValue, registration)))
                self._database.execute("INSERT INTO originals VALUES (?, ?)", *row)
        self._kept = dict(originals), settings

    def left_over(self) -> Mapping[ThreadId, Original]:
        """Threads that an earlier controller changed and may not have restored."""
        return dict(decode(each) for each in self._registrations() if isinstance(each[0], int))

    def left_over_settings(self) -> tuple[RestoreCommand, ...]:
        """The commands that restore the settings that it changed."""
        return tuple(tuple(each) for each in self._registrations() if isinstance(each[0], str))

    def _registrations(self) -> Iterator[list[Any]]:
        """Registrations of threads (a number comes first) and of settings (words of a command)."""
        rows = self._database.rows("SELECT registration FROM originals WHERE boot = ?", _boot())
        return (json.loads(cast(str, text)) for (text,) in rows)

    def take(self) -> Sequence[tuple[int, Command]]:
        """The commands that came since the last call."""
        return self._commands.take()

    def answer(self, command: int, text: str) -> None:
        """Give the answer to a command, in one line."""
        self._commands.answer(command, text)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _is_eventful(tick: Tick) -> bool:
    """Whether a person would want to read about it; a lasting hold is news only once."""
    new_hold = any(hold.since_s == tick.time_s or hold.alarm for hold in tick.holds)
    return new_hold or any((tick.changes, tick.verifications, tick.refusals, tick.alarms))


def _dump(value: JsonValue) -> str:
    return json.dumps(value, separators=(",", ":"))


def _boot(root: Path = PROC) -> str:
    """Which boot this is: thread ids mean nothing in another. Empty where it is not told."""
    try:
        return read_text(root / "sys/kernel/random/boot_id").strip()
    except KernelFileError:
        return ""

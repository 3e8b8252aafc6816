"""The journal's file: opened, created, checked, and its failures in a user's words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.errors import JournalError
from controller.linux.os_errors import explained, refused_write
from controller.linux.process_access import Reason

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4B61_7065
"""Number that marks the file as ours (`man file`): the letters Kape."""
BUSY_PATIENCE_S = 1.0
ELSEWHERE = "choose another --state-dir"

SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plant TEXT NOT NULL,
    policy TEXT NOT NULL,
    config TEXT NOT NULL,
    started_at_s REAL NOT NULL,
    ended_at_s REAL,
    summary TEXT
);
CREATE TABLE ticks (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    time_s REAL NOT NULL,
    eventful INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (run, number)
);
CREATE INDEX eventful_ticks ON ticks (run, number) WHERE eventful;
CREATE TRIGGER ticks_are_final BEFORE UPDATE ON ticks
BEGIN SELECT raise(ABORT, 'a recorded tick is never changed'); END;
CREATE TABLE memories (plant TEXT PRIMARY KEY, memory TEXT NOT NULL);
CREATE TABLE originals (boot TEXT NOT NULL, registration TEXT NOT NULL);
CREATE TABLE commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    command TEXT NOT NULL,
    sent_at_s REAL NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    answer TEXT
);
"""


class Database:
    """A connection to a journal; every failure is a JournalError with its remedy."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, path: Path) -> Database:
        """Open for writing; the file is made where it does not exist."""
        return cls._opened(path, "rwc", cls._prepare)

    @classmethod
    def existing(cls, path: Path, *, writable: bool = False) -> Database:
        """Open a journal that some run has made."""
        with _explained(path):
            if not path.exists():
                raise _absent(path)
        return cls._opened(path, "rw" if writable else "ro", cls._check_made)

    @classmethod
    def _opened(cls, path: Path, mode: str, make_ready: Callable[[Database], None]) -> Database:
        with _explained(path):
            database = cls(path, _connect(path, mode))
            try:
                make_ready(database)
            except BaseException:
                database.close()
                raise
        return database

    def rows(self, query: str, *arguments: object) -> Iterator[tuple[object, ...]]:
        """The rows that a query yields, one by one."""
        with _explained(self.path):
            for row in self._connection.execute(query, arguments):  # noqa: UP028 - it would close
                yield row

    def execute(self, statement: str, *arguments: object) -> sqlite3.Cursor:
        """Do one thing, in the transaction that is open or in one of its own."""
        with _explained(self.path):
            return self._connection.execute(statement, arguments)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done within is done together, or not at all."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _prepare(self) -> None:
        """Lay out a new file; the write-ahead log survives the death of this process."""
        self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            if not self._is_empty():
                self._check()
                return
            for statement in _statements(SCHEMA):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _is_empty(self) -> bool:
        (objects,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return bool(objects == 0)

    def _check_made(self) -> None:
        """A start that failed, on a full disk say, leaves a file with nothing in it."""
        if self._is_empty():
            raise _absent(self.path)
        self._check()

    def _check(self) -> None:
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            remedy = "move it away, or choose another --state-dir"
            raise JournalError(self.path, "it is a database of another program", remedy)
        if version > SCHEMA_VERSION:
            why = f"a newer version wrote it (schema {version}, known up to {SCHEMA_VERSION})"
            raise JournalError(
                self.path, why, "update kapellmeister, or choose another --state-dir"
            )


def _absent(path: Path) -> JournalError:
    remedy = "`kapellmeister run` makes one; or name its --state-dir"
    return JournalError(path, "there is no journal here yet", remedy)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if path.is_dir():
        raise JournalError(path, "it is a folder", f"move it away, or {ELSEWHERE}")
    if path.exists() and not (path.is_file() or path.is_char_device()):
        raise JournalError(path, "it is no regular file", f"move it away, or {ELSEWHERE}")
    if path.is_symlink() and not path.parent.joinpath(path.readlink()).parent.exists():
        why = f"it is a symbolic link to {path.readlink()}, whose folder does not exist"
        raise JournalError(path, why, f"move it away, or {ELSEWHERE}")
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_PATIENCE_S, isolation_level=None)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(path, *_reason(path, error)) from error
    except JournalError:
        raise
    except OSError as error:
        raise JournalError(path, *explained(error, path, ELSEWHERE)) from error


def _reason(path: Path, error: sqlite3.Error) -> Reason:
    """Why, and what helps: where the system refused something, what that was."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return str(error), "the file is damaged: move it away, a new one is made"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return str(error), "another program holds it locked: end that one"
    refused = _refused(path)
    if refused is not None:
        return explained(refused, refused.filename or path, ELSEWHERE)
    if code == sqlite3.SQLITE_FULL:
        return str(error), f"free space on its disk, or {ELSEWHERE}"
    return str(error), f"make the file and its folder writable, or {ELSEWHERE}"


def _refused(path: Path) -> OSError | None:
    """The system's refusal when we do what SQLite does, which does not pass it on."""
    beside = path.with_name(f"{path.name}-try")
    try:
        sizes = [0]
        for file in filter(Path.exists, (path, path.with_name(f"{path.name}-wal"))):
            file.open("r+b").close()
            sizes.append(file.stat().st_size)
        beside.touch()
        os.truncate(beside, max(sizes))
        return refused_write(beside)
    except OSError as error:
        return error
    finally:
        with suppress(OSError):
            beside.unlink()

"""Files that runs keep for themselves, which no result may be written over."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from controller.errors import JournalError
from controller.journal.database import APPLICATION_ID
from controller.journal.state_directory import JOURNAL_NAME, LOCK_NAME, StateDirectory
from controller.pipeline import files

BESIDE = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite keeps beside a journal."""
NAMES = (
    JOURNAL_NAME,
    *(JOURNAL_NAME + suffix for suffix in BESIDE),
    LOCK_NAME,
    files.SOCKET_NAME,
    files.LOCK_NAME,
    files.LOG_NAME,
    files.ORPHAN_SUMMARY,
)
"""Names of files in a state directory that are ours; others may lie beside them."""
SQLITE, SQLITE_APPLICATION = b"SQLite format 3\0", slice(68, 72)
"""First bytes of a database of SQLite, and where its application is told."""


def own_file(path: Path, state_directory: Path | None = None) -> str | None:
    """Which file of a run this is, by whatever link it is reached; None where it is none.

    Those of the state directory, the default one where none is named, and journals anywhere.
    """
    with suppress(JournalError):  # there is no default one for a user without a home
        directory = StateDirectory(state_directory).path
        if any(is_same(path, directory / name) for name in NAMES):
            return f"a file that runs keep in {directory}"
        if _is_within(path, directory / files.PICTURES):
            return f"a picture that runs draw in {directory}"
    return "a journal of runs" if _belongs_to_journal(Path(os.path.realpath(path))) else None


def is_same(one: Path, other: Path) -> bool:
    """Whether both lead to one file, there or not."""
    if os.path.realpath(one) == os.path.realpath(other):  # which need not exist
        return True
    try:
        return one.samefile(other)
    except OSError:
        return False


def _is_within(path: Path, folder: Path) -> bool:
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        return True
    try:
        return path.stat().st_nlink > 1 and any(map(path.samefile, folder.iterdir()))
    except OSError:
        return False


def _belongs_to_journal(path: Path) -> bool:
    whole = (path.with_name(path.name.removesuffix(suffix)) for suffix in BESIDE)
    return _is_journal(path) or any(each != path and _is_journal(each) for each in whole)


def _is_journal(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(SQLITE_APPLICATION.stop)
    except (OSError, ValueError):
        return False
    return head.startswith(SQLITE) and head[SQLITE_APPLICATION] == APPLICATION_ID.to_bytes(4)

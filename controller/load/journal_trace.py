"""The load that a controller recorded, as a trace to be played again."""

from __future__ import annotations

from pathlib import Path

from controller.errors import TraceError
from controller.journal.reader import JournalReader
from controller.load.trace import LoadTrace
from policies.observation import fresh

SQLITE_HEADER = b"SQLite format 3\0"


def is_journal(path: Path) -> bool:
    """Whether the file is a journal rather than a table of two columns."""
    try:
        if not path.is_file():  # a pipe would keep us, and be read but once
            return False
        with path.open("rb") as file:
            return file.read(len(SQLITE_HEADER)) == SQLITE_HEADER
    except OSError:
        return False


def recorded_load(path: Path, number: int | None = None) -> LoadTrace:
    """The load of one run of a journal, the latest unless numbered, from its first tick on.

    A tick whose load was not known is a gap, and so is one whose clock had gone back. Raises
    JournalError for what is no journal or has no such run, and TraceError for a run that
    never knew its load.
    """
    with JournalReader(path) as reader:
        run = reader.run(number).number
        loads = [(time_s, fresh(load)) for time_s, load in reader.loads(run)]
    samples: list[tuple[float, float | None]] = []
    for time_s, load in loads:
        if not samples or time_s > samples[-1][0]:
            samples.append((time_s, load))
    if all(load is None for _, load in samples):
        remedy = f"name another run: {path}:NUMBER"
        raise TraceError(path, None, f"run {run} recorded no load", remedy)
    times_s = tuple(time_s - samples[0][0] for time_s, _ in samples)
    return LoadTrace(f"{path.name}:{run}", times_s, tuple(load for _, load in samples))

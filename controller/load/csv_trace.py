"""A load trace, read from a CSV file of two columns."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from controller.errors import TraceError
from controller.linux.os_errors import explained
from controller.load.trace import LoadTrace

REMEDY = "give two columns: a time (seconds or ISO 8601) and a number of streams, empty for a gap"
MAXIMUM_LINES = 5_000_000


def read_trace(path: Path) -> LoadTrace:
    """A trace from a CSV file; a first line of words is its header.

    Raises TraceError, in one line, for a file that is absent or empty, a field that is not
    what its column holds, times that do not ascend and negative loads.
    """
    try:
        _check_length(path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(_rows(path, file))
    except csv.Error as error:
        raise TraceError(path, None, f"not a table ({error})", REMEDY) from error
    except UnicodeDecodeError as error:
        raise TraceError(path, None, "not a text file", REMEDY) from error
    except OSError as error:
        raise TraceError(path, None, *explained(error, path, REMEDY)) from error
    if not any(value is not None for _, value in rows):
        raise TraceError(path, None, "holds no load at all", REMEDY)
    start_s = rows[0][0]
    times, streams = zip(*((time_s - start_s, value) for time_s, value in rows), strict=True)
    return LoadTrace(path.name, times, streams)


def _check_length(path: Path) -> None:
    """Count the lines, which is quick, before any is read, which is not.

    A pipe could be read but once, and a device has no end.
    """
    if path.exists() and not path.is_file():
        raise TraceError(path, None, "no regular file", "write it into one, and name that")
    with path.open("rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(partial(file.read, 1 << 20), b""))
    if lines > MAXIMUM_LINES:
        why = f"{lines:,} lines, more than the {MAXIMUM_LINES:,} that can be played"
        raise TraceError(path, None, why, "resample it coarser")


def _rows(path: Path, file: Iterator[str]) -> Iterator[tuple[float, float | None]]:
    previous_s = -math.inf
    for number, row in enumerate(csv.reader(file), start=1):
        if not row or (number == 1 and _is_header(row)):
            continue
        if len(row) < 2:
            raise TraceError(path, number, f"one column ({row[0]!r})", REMEDY)
        time_s, value = _time(path, number, row[0]), _streams(path, number, row[1])
        if time_s <= previous_s:
            raise TraceError(path, number, f"time {row[0]!r} does not ascend", "sort the lines")
        previous_s = time_s
        yield time_s, value


def _is_header(row: list[str]) -> bool:
    letters = any(character.isalpha() for character in row[0])
    return letters and not _is_number(row[0]) and not _iso(row[0])


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _time(path: Path, line: int, text: str) -> float:
    moment = None if _is_number(text) else _iso(text)
    if moment is not None:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return _number(path, line, text, "a time")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _streams(path: Path, line: int, text: str) -> float | None:
    if not text.strip():
        return None
    value = _number(path, line, text, "a number of streams")
    if value < 0:
        raise TraceError(path, line, f"{value:g} streams are fewer than none", REMEDY)
    return value


def _number(path: Path, line: int, text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise TraceError(path, line, f"{text!r} is not {what}", REMEDY) from error
    if not math.isfinite(value):
        raise TraceError(path, line, f"{text!r} is not {what}", REMEDY)
    return value

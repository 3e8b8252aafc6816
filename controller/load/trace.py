"""The load over time: a trace of how many streams are live."""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from controller.errors import TraceError
from controller.linux.os_errors import explained

REMEDY = "give two columns: a time (seconds or ISO 8601) and a number of streams, empty for a gap"
MAXIMUM_LINES = 5_000_000


@dataclass(frozen=True, slots=True)
class LoadTrace:
    """Live streams over time, each value holding until the next; None is a gap.

    `time_s` ascends from 0, in seconds. `source` is what the user called it, a path for one.
    """

    name: str
    time_s: tuple[float, ...]
    streams: tuple[float | None, ...]
    source: str = field(default="", compare=False)

    @property
    def where(self) -> Path:
        """The name of the trace in an error."""
        return Path(self.source or self.name)

    @property
    def duration_s(self) -> float:
        """From the first sample to the last, seconds."""
        return self.time_s[-1]

    @property
    def peak(self) -> float:
        """The most streams at once."""
        return max(value for value in self.streams if value is not None)

    def at(self, time_s: float) -> float | None:
        """Streams at that time; the trace starts over when it has ended."""
        span_s = self.duration_s or 1.0
        return self.streams[bisect_right(self.time_s, time_s % span_s) - 1]

    def highest(self, from_s: float, to_s: float) -> float | None:
        """The most streams in an interval, however short a spike is; None where all is a gap."""
        span_s = self.duration_s or 1.0
        first, last = (
            bisect_right(self.time_s, from_s % span_s),
            bisect_right(self.time_s, to_s % span_s),
        )
        passed = self.streams[first:last] if first <= last else self.streams[first:]
        values = [value for value in (*passed, self.at(to_s)) if value is not None]
        return max(values, default=None)

    def scaled(self, peak_streams: int, duration_s: float | None = None) -> LoadTrace:
        """The trace with another peak, and played within another time."""
        factor = peak_streams / self.peak if self.peak > 0 else 0.0
        pace = 1.0 if duration_s is None or not self.duration_s else duration_s / self.duration_s
        return replace(
            self,
            time_s=tuple(time_s * pace for time_s in self.time_s),
            streams=tuple(None if v is None else v * factor for v in self.streams),
        )


def constant(streams: int) -> LoadTrace:
    """A load that never changes."""
    return LoadTrace(f"{streams} streams", (0.0,), (float(streams),))


def evening(peak_streams: int, duration_s: float) -> LoadTrace:
    """A built-in trace: a quiet hour, a rise, a busy evening with a surge, and a fall."""
    samples = 240
    values = []
    for k in range(samples):
        phase = k / samples
        wave = 0.5 - 0.5 * math.cos(2 * math.pi * phase)
        ripple = 0.06 * math.sin(2 * math.pi * 9 * phase) + 0.04 * math.sin(
            2 * math.pi * 23 * phase
        )
        surge = 0.3 * math.exp(-(((phase - 0.62) / 0.05) ** 2))
        values.append(max(0.05, 0.15 + 0.6 * wave + ripple + surge))
    times = tuple(duration_s * k / samples for k in range(samples))
    trace = LoadTrace("evening (built in)", times, tuple(values))
    return trace.scaled(peak_streams)


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

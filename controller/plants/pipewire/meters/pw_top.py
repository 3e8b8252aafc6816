"""Reads the tables of `pw-top --batch-mode`: one a second, of drivers and their followers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

RUNNING = "RtT"
"""States in which a node takes part in cycles; lower and upper t: with a transport as well."""
COLUMNS = ("S", "ID", "QUANT", "RATE", "WAIT", "BUSY", "B/Q", "ERR")
"""Titles of the columns that are read; they stand before the format, which may be empty."""
PAUSE_NS = 50_000_000
"""Silence, ns, after which a table is complete: it is printed at once, by a process that may have
to wait for a processor meanwhile."""
FOLLOWS = re.compile(r"(?:^|\s)[+=] ")


@dataclass(frozen=True, slots=True)
class Row:
    """A node: whether it runs and drives, its quantum and rate, and what it has counted.

    `times` are how long it waited and was busy in the last cycle, as printed: they hardly ever
    stay the same. `busy_share` is the part of a period that it was busy; None where nothing was
    measured.
    """

    id: int
    runs: bool
    drives: bool
    quantum: int
    rate_hz: int
    times: tuple[str, str]
    busy_share: float | None
    errors: int


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of all nodes at once, and the monotonic time at which they were printed."""

    printed_ns: int
    rows: tuple[Row, ...]


class Tables:
    """Cuts the text into tables.

    A table is complete once the next begins, or already where nothing follows for a while and it
    has as many rows as the one before: cut in two, it has fewer.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._places: Mapping[str, int] = {}
        self._rows: list[Row] = []
        self._printed_ns = self._fed_ns = 0
        self._count_before = 0
        self._is_open = False

    def feed(self, chunk: bytes, now_ns: int) -> list[Table]:
        """The tables that `chunk` completes."""
        self._fed_ns = now_ns
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        complete = []
        for line in (each.decode(errors="replace") for each in lines):
            titles = line.split()
            if titles[:2] == ["S", "ID"]:
                complete += self._finish()
                self._places = {title: place for place, title in enumerate(titles)}
                self._printed_ns, self._is_open = now_ns, True
            elif self._is_open and (row := _row(line, self._places)) is not None:
                self._rows.append(row)
        return complete

    def pause(self, now_ns: int) -> Table | None:
        """The last table, where it is complete by now."""
        paused = now_ns - self._fed_ns >= PAUSE_NS and not self._rest
        if paused and self._rows and len(self._rows) >= self._count_before:
            return self._finish()[0]
        return None

    def _finish(self) -> list[Table]:
        rows, self._rows, self._is_open = self._rows, [], False
        if not rows:
            return []
        self._count_before = len(rows)
        return [Table(self._printed_ns, tuple(rows))]


def _row(line: str, places: Mapping[str, int]) -> Row | None:
    """The node of a line; None where the line is none, or the table lacks what is read."""
    fields = line.split()
    if any(places.get(title, len(fields)) >= len(fields) for title in COLUMNS):
        return None
    state, node, quantum, rate, wait, busy, share, errors = (fields[places[t]] for t in COLUMNS)
    counts = (node, quantum, rate, errors)
    if not all(each.isdigit() for each in counts):
        return None
    described = " ".join(fields[places["ERR"] + 1 :])
    return Row(
        id=int(node),
        runs=state in RUNNING,
        drives=FOLLOWS.search(described) is None,
        quantum=int(quantum),
        rate_hz=int(rate),
        times=(wait, busy),
        busy_share=_number(share),
        errors=int(errors),
    )


def _number(field: str) -> float | None:
    """A share; None for `---` and `+++`, which stand where there is none."""
    try:
        return float(field)
    except ValueError:
        return None

"""What `pw-top --batch-mode` prints: a table a second of drivers and those that follow them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

RUNNING = "RtT"
"""States in which a node takes part in cycles; lower and upper t: with a transport as well."""
COLUMNS = ("S", "ID", "QUANT", "RATE", "WAIT", "BUSY", "B/Q", "ERR")
"""What is read of a row, by the titles of the table; before the format, which may be empty."""
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


class Tables:
    """Cuts what is printed into tables; one is complete once the next begins."""

    def __init__(self) -> None:
        self._rest = ""
        self._places: Mapping[str, int] = {}
        self._rows: list[Row] = []

    def feed(self, text: str) -> list[list[Row]]:
        """The tables that this completes."""
        *lines, self._rest = (self._rest + text).split("\n")
        complete = []
        for line in lines:
            titles = line.split()
            if titles[:2] == ["S", "ID"]:
                self._places = {title: place for place, title in enumerate(titles)}
                if self._rows:
                    complete.append(self._rows)
                self._rows = []
            elif (row := _row(line, self._places)) is not None:
                self._rows.append(row)
        return complete


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

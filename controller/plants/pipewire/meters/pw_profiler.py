"""Reads the rows of `pw-profiler`: one a cycle of the driver that it saw first."""

from __future__ import annotations

from typing import NamedTuple

DRIVER_COLUMNS, FOLLOWER_COLUMNS = 4, 8
STATE = 7
"""Columns of a follower that are read: the state is the last of them."""
FINISHED, INACTIVE = 3, 4
"""States of a follower at the end of its cycle; in any other it was not done in time."""


class Cycle(NamedTuple):
    """A cycle, times in microseconds.

    `late_us` is the longest that a follower took to wake once it could have run, `busy_us` the
    longest that one then worked, and `end_us` when the last of them was done, from the start of
    the cycle. Of a follower that was not, a whole period is counted: it took at least that.
    `follower` is one that had a part in it, 0 where none had.
    """

    period_us: float
    late_us: float
    busy_us: float
    end_us: float
    missed: bool
    follower: int


class Rows:
    """Cuts what is written into rows."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Cycle]:
        """The cycles that `chunk` completes."""
        *rows, self._rest = (self._rest + chunk).split(b"\n")
        filled = (row.rstrip() for row in rows)  # of 64 followers there is room for, few are there
        return [_cycle(row) for row in filled if row]


def _cycle(row: bytes) -> Cycle:
    """Four columns of the driver (its period, its end, its delay and the period meant), then
    eight of each follower (id, signalled, awake, finished, waited, busy, state, nothing), empty
    where that had no part in the cycle.
    """
    columns = row.split(b"\t")
    period_us = float(columns[3])
    late_us = busy_us = end_us = 0.0
    missed, follower = False, 0
    for first in range(DRIVER_COLUMNS, len(columns), FOLLOWER_COLUMNS):
        identity, signalled, awake, finished, _, _, state = columns[first : first + STATE]
        if not identity.strip() or (ended_as := int(state)) == INACTIVE:
            continue
        follower = int(identity)
        if ended_as != FINISHED:
            late_us = end_us = max(late_us, end_us, period_us)
            missed = True
            continue
        awake_us, finished_us = float(awake), float(finished)
        late_us = max(late_us, awake_us - float(signalled))
        busy_us = max(busy_us, finished_us - awake_us)
        end_us = max(end_us, finished_us)
    return Cycle(period_us, late_us, busy_us, end_us, missed, follower)

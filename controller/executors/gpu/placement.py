"""Decides which stream is in which shard, where workers differ in what they can carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.executors.stream_table import NOBODY

YIELDED = 0
"""Number of the shard that no worker has: its streams have yielded, and their blocks are lost."""


@dataclass(frozen=True, slots=True)
class Room:
    """A shard, and the most streams that its worker can carry."""

    shard: int
    streams: int


def placed(shards: NDArray[np.int16], rooms: Sequence[Room]) -> NDArray[np.int16]:
    """Every stream in the first shard that has room for it, in the fewest moves.

    `shards` (slots,) is the number of each stream's shard, NOBODY where a slot is free; `rooms`
    are ordered by preference. Streams stay where they are, unless there are too many there or one
    that is preferred has room; those for which there is none have yielded, the highest slots first.
    """
    result = shards.copy()
    live = result != NOBODY
    result[live & ~np.isin(result, [room.shard for room in rooms])] = YIELDED
    for place, room in enumerate(rooms):
        here = np.flatnonzero(result == room.shard)
        result[here[room.streams :]] = YIELDED
        later = [YIELDED, *(each.shard for each in rooms[place + 1 :])]
        waiting = np.flatnonzero(live & np.isin(result, later))
        by_need = waiting[np.argsort(result[waiting] != YIELDED, kind="stable")]
        result[by_need[: max(0, room.streams - len(here))]] = room.shard
    return result

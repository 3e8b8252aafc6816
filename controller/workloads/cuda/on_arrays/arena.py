"""The arena's bytes as typed runs, so that the states of many rows are one gather."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Arena: TypeAlias = NDArray[np.uint8]
LongArray: TypeAlias = NDArray[np.int64]
"""Offsets in bytes into the arena, -1 where a row is not used; or one step."""


def runs(arena: Arena, dtype: DTypeLike, length: int) -> NDArray[Any]:
    """Every run of `length` values, (starts, length): row i begins at the i-th value of the arena.

    Runs overlap, so give each row that is written a place of its own.
    """
    item_bytes = np.dtype(dtype).itemsize
    starts = max(0, arena.size // item_bytes - length + 1)
    return np.ndarray((starts, length), dtype, arena, strides=(item_bytes, item_bytes))


def used_rows(rows: LongArray, first: int, last: int) -> NDArray[np.intp]:
    """Which of the rows from `first` to before `last` have a state."""
    return first + np.flatnonzero(rows[first:last] >= 0)

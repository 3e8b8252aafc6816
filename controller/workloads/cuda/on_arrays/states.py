"""What `states.cu` does, on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def begin_states(
    arena: NDArray[np.uint8],
    rows: NDArray[np.int64],
    initial: NDArray[np.uint8],
    n: int,
    state_bytes: int,
    initial_bytes: int,
) -> None:
    """Begin the states of rows with `initial`, (n, initial_bytes) uint8, and zeros after that."""
    beginnings = initial.reshape(n, initial_bytes)
    for row, beginning in zip(rows.tolist(), beginnings, strict=True):
        if row >= 0:
            arena[row : row + initial_bytes] = beginning
            arena[row + initial_bytes : row + state_bytes] = 0

"""A plane: a way for blocks to go to worker processes and come back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from controller.executors.processes import ProcessGroup

STREAMS, PERIOD_FRAMES, SAMPLE_RATE_HZ = 64, 256, 48_000
PERIOD_S = PERIOD_FRAMES / SAMPLE_RATE_HZ
Blocks: TypeAlias = NDArray[np.float32]
"""Blocks of all streams, (STREAMS, PERIOD_FRAMES)."""


class Plane(Protocol):
    """Takes blocks to its workers, each a share of the streams, and waits until all are back."""

    def round(self, blocks: Blocks) -> Blocks:
        """Blocks as they came back from the workers, which return what they are given."""
        ...

    def close(self) -> None:
        """Give up what this process holds."""
        ...


Open: TypeAlias = Callable[[int, ProcessGroup], Plane]
"""Starts a plane of so many workers in a group. Raises MissingExtraError."""


def shares(workers: int) -> tuple[slice, ...]:
    """Streams of each worker, as equal as can be."""
    edges = [STREAMS * number // workers for number in range(workers + 1)]
    return tuple(slice(first, last) for first, last in pairwise(edges))


def as_bytes(blocks: Blocks) -> memoryview:
    """Memory of blocks that lie one after the other, without a copy."""
    return blocks.data.cast("B")


def nothing_back() -> Blocks:
    """Room for what comes back."""
    return np.zeros((STREAMS, PERIOD_FRAMES), np.float32)

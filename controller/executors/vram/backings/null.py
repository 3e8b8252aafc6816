"""No memory at all: offsets alone, to measure and to simulate with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.executors.vram.backing import DONE, Event


class NullBacking:
    """Keeps no bytes: all that is read is zero."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes

    def copy(self, source: int, target: int, size_bytes: int) -> Event:  # noqa: ARG002
        """Done at once."""
        return DONE

    def fill(self, offset: int, size_bytes: int, byte: int) -> None:
        """Keep nothing."""

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Keep nothing."""

    def read(self, offset: int, size_bytes: int) -> NDArray[np.uint8]:  # noqa: ARG002
        """Zeros, (size_bytes,)."""
        return np.zeros(size_bytes, np.uint8)

    def released(self, offset: int, size_bytes: int) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Nothing is held."""

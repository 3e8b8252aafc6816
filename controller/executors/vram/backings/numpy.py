"""Memory of the host in a device's place; what is released turns to NaN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.executors.vram.backing import DONE, Event

POISON = 0xFF
"""Byte of memory that nobody holds: four of them are NaN as a float, eight as a double."""


class NumpyBacking:
    """`bytes`, (size_bytes,) uint8, is the region; everything is done within the call."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.bytes = np.full(size_bytes, POISON, np.uint8)

    def copy(self, source: int, target: int, size_bytes: int) -> Event:
        """Copy at once."""
        self.bytes[target : target + size_bytes] = self.bytes[source : source + size_bytes]
        return DONE

    def fill(self, offset: int, size_bytes: int, byte: int) -> None:
        """Set every byte of a range."""
        self.bytes[offset : offset + size_bytes] = byte

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Copy (n,) bytes in."""
        self.bytes[offset : offset + len(data)] = data

    def read(self, offset: int, size_bytes: int) -> NDArray[np.uint8]:
        """Copy (size_bytes,) bytes out."""
        return self.bytes[offset : offset + size_bytes].copy()

    def released(self, offset: int, size_bytes: int) -> None:
        """Poison the bytes, so that whoever reads them on finds NaN."""
        self.fill(offset, size_bytes, POISON)

    def close(self) -> None:
        """Let go of the region."""
        self.bytes = np.zeros(0, np.uint8)

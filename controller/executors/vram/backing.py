"""The contract of what lies under an arena: bytes of a device, addressed by offsets."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Event(Protocol):
    """A point in a stream of work on the device."""

    @property
    def is_done(self) -> bool:
        """Whether all work before it has ended."""
        ...

    def wait(self) -> None:
        """Keep the host waiting until all work before it has ended."""
        ...


class DoneEvent:
    """Work that had ended before anybody asked."""

    is_done = True

    def wait(self) -> None:
        """Return at once."""


DONE = DoneEvent()
"""Event of work that is done within the call that starts it."""


class Backing(Protocol):
    """One region of device memory, addressed by byte offsets from its start.

    Ranges of a copy never overlap. A caller of `read` and `write` waits until it is done.
    """

    @property
    def size_bytes(self) -> int:
        """Size of the region."""
        ...

    def copy(self, source: int, target: int, size_bytes: int) -> Event:
        """Copy within the region, on a stream of the mover's own; done at the event."""
        ...

    def fill(self, offset: int, size_bytes: int, byte: int) -> None:
        """Set every byte of a range."""
        ...

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Copy bytes of the host, (n,) uint8, to the device."""
        ...

    def read(self, offset: int, size_bytes: int) -> NDArray[np.uint8]:
        """A copy of a range for the host, (size_bytes,) uint8."""
        ...

    def released(self, offset: int, size_bytes: int) -> None:
        """Take notice that nobody uses these bytes any longer."""
        ...

    def close(self) -> None:
        """Give the region back to the device; harmless again."""
        ...

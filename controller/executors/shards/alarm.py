"""An alarm by which one process wakes another that waits for it."""

from __future__ import annotations

import os


class Alarm:
    """A descriptor that is readable from `raise_` to `clear`, in all processes forked since."""

    def __init__(self) -> None:
        self._descriptor: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def descriptors(self) -> tuple[int, ...]:
        """The descriptor; none once it is closed."""
        return () if self._descriptor is None else (self._descriptor,)

    def raise_(self) -> None:
        """Wake whoever waits for it."""
        for descriptor in self.descriptors():
            os.eventfd_write(descriptor, 1)

    def clear(self) -> None:
        """Hear it: it is readable no longer, until it is raised again."""
        for descriptor in self.descriptors():
            try:
                os.eventfd_read(descriptor)
            except BlockingIOError:
                return  # nobody has raised it

    def close(self) -> None:
        """Give the descriptor back; harmless again."""
        for descriptor in self.descriptors():
            os.close(descriptor)
        self._descriptor = None

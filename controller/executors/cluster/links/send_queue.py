"""What could not be sent at once: a bounded queue, which tells when a peer does not read."""

from __future__ import annotations

from collections import deque

LIMIT_BYTES = 2 << 20
"""Bytes that wait for a peer at most, beside what the kernel holds."""


class SendQueue:
    """Bytes in the order in which they go out; an empty one takes any frame.

    A frame that has no room is not taken, and the queue is *stalled* from then on until all of it
    has gone: a peer that begins to read again gets whole frames, and none of the old in between.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._parts: deque[memoryview] = deque()
        self.size_bytes = 0
        """Bytes that wait."""
        self._stalled_ns: int | None = None

    @property
    def stalled_ns(self) -> int | None:
        """Since when nothing is taken, nanoseconds of the caller's clock; None while it flows."""
        return self._stalled_ns

    def admits(self, count: int, now_ns: int) -> bool:
        """Whether so many bytes are taken now; where not, it is stalled from then on."""
        is_full = bool(self._parts) and self.size_bytes + count > self._limit_bytes
        if self._stalled_ns is None and is_full:
            self._stalled_ns = now_ns
        return self._stalled_ns is None

    def add(self, part: bytes) -> None:
        """Take bytes for which there was room."""
        if part:
            self._parts.append(memoryview(part))
            self.size_bytes += len(part)

    def first(self) -> memoryview:
        """The bytes that go next; empty where none wait."""
        return self._parts[0] if self._parts else memoryview(b"")

    def went(self, count: int) -> None:
        """So many of `first()` have gone."""
        part = self._parts.popleft()
        if count < len(part):
            self._parts.appendleft(part[count:])
        self.size_bytes -= count
        if not self._parts:
            self._stalled_ns = None

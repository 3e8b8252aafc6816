"""Frames out of a stream of bytes, however it was cut on its way."""

from __future__ import annotations

from controller.errors import FrameError
from controller.executors.cluster.links.frame import (
    FIRST_KINDS,
    HEADER_BYTES,
    LONGEST_GREETING_BYTES,
    Frame,
    Header,
    Kind,
    decoded_header,
    too_long,
)

SMALLEST_ROOM_BYTES = 1 << 16


class FrameReader:
    """Receive into `room()`, then tell `received()` how many bytes came.

    It holds one frame at most beside `SMALLEST_ROOM_BYTES`. Until the first frame is complete the
    peer is a stranger: it can only greet, and have a few KiB kept.
    """

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._buffer = bytearray(SMALLEST_ROOM_BYTES)
        self.filled_bytes = 0
        """Bytes of a frame that has come in part."""
        self._is_stranger = True

    def room(self) -> memoryview:
        """Where the next bytes go; never empty."""
        return memoryview(self._buffer)[self.filled_bytes :]

    def received(self, count: int) -> list[Frame]:
        """Frames that these bytes complete. Raises FrameError for what is none of ours."""
        self.filled_bytes += count
        frames: list[Frame] = []
        start, wanted = 0, HEADER_BYTES
        while self.filled_bytes - start >= HEADER_BYTES:
            header = decoded_header(self._peer, self._buffer, start)
            if self._is_stranger:
                self._check_greeting(header[0], header[-1])
            wanted = HEADER_BYTES + header[-1]
            if self.filled_bytes - start < wanted:
                break
            frames.append(self._frame(header, start + HEADER_BYTES))
            start, wanted = start + wanted, HEADER_BYTES
        if start == self.filled_bytes:
            self.filled_bytes = 0
        else:
            self._keep_from(start, wanted)
        return frames

    def ended(self) -> None:
        """The stream is at its end. Raises FrameError where that cuts a frame short."""
        if self.filled_bytes:
            why = f"a frame was cut short after {self.filled_bytes:,} bytes"
            raise FrameError(self._peer, why, "see what ended the peer, or the network between")

    def _frame(self, header: Header, start: int) -> Frame:
        kind, shard, epoch, sequence, length_bytes = header
        self._is_stranger = False
        payload = bytes(memoryview(self._buffer)[start : start + length_bytes])
        return Frame(kind, payload, shard, epoch, sequence)

    def _check_greeting(self, kind: Kind, length_bytes: int) -> None:
        if kind not in FIRST_KINDS:
            why = f"a stranger: it begins with {kind.name} and not with HELLO"
            raise FrameError(self._peer, why, "keep other programs off this port")
        if length_bytes > LONGEST_GREETING_BYTES:
            raise too_long(self._peer, length_bytes, LONGEST_GREETING_BYTES)

    def _keep_from(self, start: int, wanted: int) -> None:
        """Move what is left to the front, and make room for the frame that it begins."""
        left = self.filled_bytes - start
        if wanted >= len(self._buffer):
            larger = bytearray(wanted + HEADER_BYTES)
            larger[:left] = memoryview(self._buffer)[start : self.filled_bytes]
            self._buffer = larger
        elif start and left:
            view = memoryview(self._buffer)
            view[:left] = view[start : self.filled_bytes]
        self.filled_bytes = left

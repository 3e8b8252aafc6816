"""Where the parts of a staged batch lie: its table of rows, then its sound, in one piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.workloads.cuda.layout import ALIGNMENT_BYTES, aligned


def bucket(streams: int, smallest: int = 8) -> int:
    """The rows of the graph that so many streams are rendered by: a power of two."""
    return max(smallest, 1 << (max(1, streams) - 1).bit_length())


@dataclass(frozen=True, slots=True)
class BatchLayout:
    """Offsets, bytes, of a batch of `rows` streams of `period_frames` samples each.

    First the step (int64), then the offsets of the streams' states and of their responses (int64
    each), then the sound (float32).
    """

    rows: int
    period_frames: int

    @property
    def states(self) -> int:
        """Offset of the table of states."""
        return ALIGNMENT_BYTES

    @property
    def responses(self) -> int:
        """Offset of the table of responses."""
        return self.states + aligned(self.rows * np.dtype(np.int64).itemsize)

    @property
    def sound(self) -> int:
        """Offset of the sound."""
        return self.responses + aligned(self.rows * np.dtype(np.int64).itemsize)

    @property
    def row_bytes(self) -> int:
        """Bytes of one stream's block."""
        return self.period_frames * np.dtype(np.float32).itemsize

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole batch."""
        return self.sound + self.rows * self.row_bytes

    def rows_within(self, end: int) -> int:
        """Rows of sound, at most those there are, of which anything lies before this offset."""
        return min(self.rows, max(0, -(-(end - self.sound) // self.row_bytes)))

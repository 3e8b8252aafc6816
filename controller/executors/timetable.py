"""When each block is captured, due and played."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timetable:
    """Instants of block n on the monotonic clock, nanoseconds.

    A block can be worked on once its last sample is captured; it is due `deadline_ns` later
    and played `buffer_ns` after that. Neither grows because a knob was turned.
    """

    start_ns: int
    period_ns: float
    deadline_ns: int
    buffer_ns: int

    def captured_ns(self, block: int) -> int:
        """When the last sample of the block has been captured."""
        return self.start_ns + round((block + 1) * self.period_ns)

    def due_ns(self, block: int) -> int:
        """The deadline of the block."""
        return self.captured_ns(block) + self.deadline_ns

    def played_ns(self, block: int) -> int:
        """When the block is played; what is not there by then is absent."""
        return self.due_ns(block) + self.buffer_ns

    def capturing(self, now_ns: int) -> int:
        """The block whose samples are being captured now."""
        return max(0, int((now_ns - self.start_ns) // self.period_ns))

    def first_playable(self, block: int, now_ns: int) -> int:
        """This block, or the first after it that is still to be played."""
        block = max(block, self.capturing(now_ns - self.deadline_ns - self.buffer_ns) - 1)
        while self.played_ns(block) <= now_ns:
            block += 1
        return block

    def due(self, now_ns: int) -> int:
        """The latest block that is due by now; -1 before the first."""
        return self.capturing(now_ns - self.deadline_ns) - 1

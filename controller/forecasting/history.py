"""The known load: a regular series, its gaps marked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.forecasting.arrays import decode, encode
from policies.policy import State

Floats = NDArray[np.float64]

SPARE = 2
"""Multiple of the capacity that room is made for, so that old values are rarely moved."""


class History:
    """The last `capacity` cells of a series that always ends in a known value.

    `filled` holds the last known value throughout a gap and `known` is False there; `gap`
    counts the unknown cells since the last known one, and `count` all cells ever, those
    included. Views, not copies: to be read, never written.
    """

    def __init__(self, step_s: float, capacity: int) -> None:
        self.step_s = step_s
        self.capacity = capacity
        self.count = 0
        self.gap = 0
        self._size = 0
        self._values = np.empty(SPARE * capacity)
        self._known = np.empty(SPARE * capacity, np.bool_)

    def __len__(self) -> int:
        return min(self._size, self.capacity)

    @property
    def filled(self) -> Floats:
        """The series, oldest first."""
        return self._values[max(0, self._size - self.capacity) : self._size]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which of it was measured."""
        return self._known[max(0, self._size - self.capacity) : self._size]

    @property
    def last(self) -> float:
        """The last known value."""
        return float(self._values[self._size - 1])

    def append(self, value: float | None) -> None:
        """Take one more cell; None lengthens the gap."""
        self.count += 1
        if value is None:
            self.gap += 1
            return
        if self._size:
            last = self.last
            for _ in range(min(self.gap, self.capacity)):
                self._push(last, known=False)
        self.gap = 0
        self._push(value, known=True)

    def saved(self) -> State:
        """All that is held."""
        return [self.count, self.gap, encode(self.filled), encode(np.packbits(self.known))]

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self.count, self.gap, values, known = saved
        held = decode(values)
        self._size = held.size
        self._values[: held.size] = held
        self._known[: held.size] = np.unpackbits(decode(known), count=held.size)

    def _push(self, value: float, known: bool) -> None:
        if self._size == self._values.size:
            kept = slice(self._size - self.capacity, self._size)
            self._values[: self.capacity] = self._values[kept]
            self._known[: self.capacity] = self._known[kept]
            self._size = self.capacity
        self._values[self._size], self._known[self._size] = value, known
        self._size += 1

"""Drift of a knob: whether the value in force is that of our requests, or another hand's."""

from __future__ import annotations


class DriftDetector:
    """Follows a knob from the first request for it on, by what was `found` before that.

    A service may do less than it was asked for, and later than it answers: what lies between
    the values that were found and asked for is taken for the work of our requests. A value
    beyond them is another hand's, and so is one that follows on what was asked for last.
    """

    def __init__(self, found: int) -> None:
        self.found = found
        self.asked = found
        self.drifted = False
        """Whether another hand's value is evident."""
        self._low = self._high = self._seen = found
        self._arrived = False

    def ask(self, value: int) -> None:
        """Take a request that was made."""
        self.asked = value
        self._low, self._high = min(self._low, value), max(self._high, value)
        self._arrived = False

    def see(self, value: int) -> None:
        """Take the value that is in force."""
        if value == self._seen:
            return
        self._seen = value
        self.drifted = self._arrived or not self._low <= value <= self._high
        self._arrived = value == self.asked

    @property
    def ours(self) -> bool:
        """Whether the knob is, or may yet come to be, other than found, and only by our doing."""
        return not self.drifted and not self.asked == self._seen == self.found

"""A figure over repetitions."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from simulators.figures import Figures


class Spread(Figures):
    """Median and range."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(median=statistics.median(values), lowest=min(values), highest=max(values))

    def words(self, form: str) -> str:
        """`1.5 (1.2 to 2.0)`, in a form of `format`."""
        return f"{self.median:{form}} ({self.lowest:{form}} to {self.highest:{form}})"

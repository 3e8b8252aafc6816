"""Ranges of the constants of a policy, said beside each where its constructor takes it.

target: Annotated[float, Range(0.01, 1.0)] = 0.6
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both allowed; only whole ones where `whole`."""

    low: float
    high: float = math.inf
    whole: bool = False

    def allows(self, value: float) -> bool:
        """Whether a constant may have this value."""
        return self.low <= value <= self.high and (not self.whole or value == int(value))

    def __str__(self) -> str:
        kind = "a whole number, " if self.whole else ""
        most = f" and at most {self.high:g}" if math.isfinite(self.high) else ""
        return f"{kind}at least {self.low:g}{most}"


Fraction = Annotated[float, Range(0.0, 1.0)]
Share = Annotated[float, Range(0.01, 1.0)]
"""A fraction that is divided by: of next to nothing it would be nonsense."""
Streams = Annotated[float, Range(1.0)]
Seconds = Annotated[float, Range(0.0)]
Microseconds = Annotated[float, Range(1.0)]
Count = Annotated[float, Range(1.0, whole=True)]
Switch = Annotated[float, Range(0.0, 1.0, whole=True)]
"""1 for on, 0 for off."""

"""Laws of other systems, and the work that the simulator may spare them."""

from __future__ import annotations

from typing import ClassVar


class Baseline:
    """Looks at nothing but readings: at no forecast, no diagnosis, and two hours back."""

    __slots__ = ()
    uses_forecast: ClassVar[bool] = False
    uses_diagnosis: ClassVar[bool] = False
    looks_back_s: ClassVar[float] = 7200.0


class NodeBaseline(Baseline):
    """Turns the node count alone."""

    __slots__ = ()
    turns: ClassVar[frozenset[str]] = frozenset({"nodes"})

"""Touch nothing: what happens without a controller."""

from __future__ import annotations

from policies.policy import Context, State
from policies.proposal import Proposal


class Static:
    """Leaves every knob as it was found."""

    name = "static"
    turns: frozenset[str] = frozenset()
    uses_forecast = False
    uses_diagnosis = False
    looks_back_s = 0.0

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Propose nothing."""
        del context
        return Proposal(reason="static: nothing is ever turned"), state

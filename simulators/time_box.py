"""A limit of time for decisions that anyone's code makes."""

from __future__ import annotations

from controller.time_box import TimeBox
from policies.policy import Context, Policy, State
from policies.proposal import Proposal

LONGEST_DECISION_S = 20.0


class TimeBoxed(TimeBox):
    """A policy whose decision is broken off when it takes too long, with a TimeoutError."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(LONGEST_DECISION_S)
        self.policy = policy
        self.name = policy.name

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Decide in time. Raises TimeoutError, and whatever the policy raises."""
        return self.call(self.policy.decide, context, state)

"""A limit of time for policies, which are anyone's code."""

from __future__ import annotations

from collections.abc import Callable

from controller.time_box import TimeBox
from policies.policy import Context, Policy, State
from policies.proposal import Proposal

LONGEST_DECISION_S = 20.0
"""Seconds after which a decision, or the making of a policy, is broken off."""


class TimeBoxedPolicy(TimeBox):
    """A policy whose making and decisions are broken off when they take too long."""

    policy: Policy

    def __init__(self, make: Callable[[], Policy]) -> None:
        super().__init__(LONGEST_DECISION_S)
        self._make = make

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.policy.name

    def renew(self) -> None:
        """Make the policy, in time. Raises PlugInError where that fails."""
        self.policy = self.call(self._make)

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Decide in time. Raises TimeoutError, and whatever the policy raises."""
        return self.call(self.policy.decide, context, state)

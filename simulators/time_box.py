"""A limit of time for decisions that anyone's code makes."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Self

from policies.policy import Context, Policy, State
from policies.proposal import Proposal

LONGEST_DECISION_S = 20.0
"""A decision that is still being made at two alarms, this far apart, is broken off."""


class TimeBoxed:
    """A policy whose decision is broken off when it takes too long, with a TimeoutError.

    One alarm clock rings for all decisions alike, since setting it for each would cost as
    much as many of them do. Works in the main thread of a process only, which is where a
    simulation runs.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.name = policy.name
        self._deciding = False
        self._decisions = 0
        self._heard = -1
        self._longest_s = LONGEST_DECISION_S

    def __enter__(self) -> Self:
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._longest_s, self._longest_s)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Decide in time. Raises TimeoutError, and whatever the policy raises."""
        self._decisions += 1
        self._deciding = True
        try:
            return self.policy.decide(context, state)
        finally:
            self._deciding = False

    def _ring(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._deciding and self._heard == self._decisions:
            raise TimeoutError(f"a decision took longer than {self._longest_s:g} s")
        self._heard = self._decisions

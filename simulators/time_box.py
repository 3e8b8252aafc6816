"""A limit of time for decisions that anyone's code makes."""

from __future__ import annotations

import signal
from types import FrameType

from policies.policy import Context, Policy, State
from policies.proposal import Proposal

LONGEST_DECISION_S = 20.0


class TimeBoxed:
    """A policy whose decision is broken off when it takes too long, with a TimeoutError.

    Works in the main thread of a process only, which is where a simulation runs.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.name = policy.name
        self._longest_s = LONGEST_DECISION_S
        signal.signal(signal.SIGALRM, self._break_off)

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Decide in time. Raises TimeoutError, and whatever the policy raises."""
        signal.setitimer(signal.ITIMER_REAL, self._longest_s)
        try:
            return self.policy.decide(context, state)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)

    def _break_off(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TimeoutError(f"a decision took longer than {self._longest_s:g} s")

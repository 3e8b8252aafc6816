"""Proposals: the actions that a policy wants, their promises, and those admitted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from policies.knobs import KnobValue


@dataclass(frozen=True, slots=True)
class Expectation:
    """The prediction of a policy's model at one load: with the change, and without it."""

    load: float
    changed: float
    unchanged: float


@dataclass(frozen=True, slots=True)
class Effect:
    """A prediction that can be held against what comes, at the load that then is.

    `quantity` names a reading of the observation (`miss_rate`, `latency_p99_ms`), of which
    less is better. `curve` gives the prediction at ascending loads, interpolated between and
    held beyond; with one point it does not depend on the load. A change that is merely
    expected to do no harm promises `changed` equal to `unchanged`.
    """

    quantity: str
    unit: str
    curve: tuple[Expectation, ...]

    def at(self, load: float | None) -> Expectation:
        """The prediction at this load; without a known load, the most demanding point."""
        if load is None:
            return self.curve[-1]
        loads = [point.load for point in self.curve]
        changed = np.interp(load, loads, [point.changed for point in self.curve])
        unchanged = np.interp(load, loads, [point.unchanged for point in self.curve])
        return Expectation(load, float(changed), float(unchanged))


@dataclass(frozen=True, slots=True)
class Action:
    """A knob at a new value, why, and what should come of it."""

    knob: str
    value: KnobValue
    reason: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Proposal:
    """Actions that a policy would take now; without actions, why it leaves everything as it is.

    `rejected` says which alternatives were weighed, and what spoke against each.
    """

    actions: tuple[Action, ...] = ()
    reason: str = ""
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """An action that the guard admitted.

    `id` is unique within a journal. `previous` is the value that a rollback restores.
    `due_s` is the clock from which its effect can be judged.
    """

    id: str
    action: Action
    previous: KnobValue
    admitted_at_s: float
    due_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """An action that the guard did not admit, and why.

    `alarm` is set once the hold has lasted longer than it may; it never releases a shrink
    and never overwrites another hand's value.
    """

    knob: str
    reason: str
    since_s: float
    alarm: bool = False


class Verdict(StrEnum):
    """The outcome of a change.

    CONFIRMED: what was predicted. FELL_SHORT: less, and it was kept. ROLLED_BACK: harm, and it
    was undone. REFUSED: the plant would not take it. UNDECIDED: nobody can know, which is no
    evidence against the change.
    """

    CONFIRMED = "confirmed"
    FELL_SHORT = "fell short"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verification:
    """A change held against its prediction at the load that was observed.

    `measured` is None where the verdict is REFUSED, or UNDECIDED for want of valid readings.
    """

    change_id: str
    knob: str
    verdict: Verdict
    quantity: str
    expected: Expectation
    measured: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A plant would not turn a knob, and why.

    `passing` says that the cause lies outside the change (nobody answers, say): it is no
    evidence against it.
    """

    knob: str
    reason: str
    passing: bool = False

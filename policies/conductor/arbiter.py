"""The arbiter: at most one step on each resource, so that what comes of it has one cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.conductor.alternatives import Alternative
from policies.conductor.situation import Situation
from policies.diagnosis import Bottleneck, Diagnosis
from policies.proposal import Action, Proposal


class Arbiter:
    """Collects the steps that are taken, and why the others were not.

    `unavailable` says which knobs must not be turned now and why, `spent` until when a step is
    left alone that was tried on the same evidence.
    """

    def __init__(
        self, situation: Situation, unavailable: Mapping[str, str], spent: Mapping[str, float]
    ) -> None:
        self._situation = situation
        self._unavailable = unavailable
        self._spent = spent
        self._actions: list[Action] = []
        self._rejected: dict[str, str] = {}
        self._step_on: dict[str, str] = {}
        self.step_of: dict[str, str] = {}

    def take(self, group: Iterable[Alternative]) -> None:
        """Take the first step of a group that nothing speaks against."""
        taken: str | None = None
        for each in group:
            objection = self._objection(each)
            if objection is None and taken is not None:
                objection = f"{taken} comes first and is judged first"
            if objection is None:
                objection = self._occupied(each)
            if objection is not None:
                self._rejected.setdefault(each.step, objection)
            elif each.action is not None:
                taken = each.step
                self._actions.append(each.action)
                self._step_on[self._resource(each.action)] = each.step
                self.step_of[each.action.knob] = key(self._situation.diagnosis, each.step)

    def proposal(self) -> Proposal:
        """What was taken, or why nothing was.

        A step that one of the three questions rejects may be the answer to another.
        """
        taken = self._step_on.values()
        rejected = tuple(
            f"{step}: {why_not}" for step, why_not in self._rejected.items() if step not in taken
        )
        if self._actions:
            return Proposal(tuple(self._actions), rejected=rejected)
        diagnosis = self._situation.diagnosis
        summary = diagnosis.summary
        if diagnosis.bottleneck is not Bottleneck.NONE and rejected:
            summary = f"{summary}; no step against it is open now"
        return Proposal(reason=summary, rejected=rejected)

    def _occupied(self, each: Alternative) -> str | None:
        """Which step was taken already on the same resource; None where none was."""
        first = None if each.action is None else self._step_on.get(self._resource(each.action))
        return None if first is None else f"{first} comes first on the same resource"

    def _resource(self, action: Action) -> str:
        return self._situation.knobs[action.knob].resource

    def _objection(self, each: Alternative) -> str | None:
        if each.action is None:
            return each.why_not
        if each.action.knob in self._unavailable:
            return self._unavailable[each.action.knob]
        until_s = self._spent.get(key(self._situation.diagnosis, each.step))
        if until_s is None:
            return None
        wait_s = until_s - self._situation.time_s
        return f"tried on the same evidence without success; again in {wait_s:.0f} s"


def key(diagnosis: Diagnosis, step: str) -> str:
    """The bottleneck and what was done: against another bottleneck it is other evidence."""
    return f"{diagnosis.bottleneck}/{step}"

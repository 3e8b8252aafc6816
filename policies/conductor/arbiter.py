"""The arbiter: at most one step on each resource, so that what comes of it has one cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from policies.conductor.alternatives import Alternative
from policies.conductor.situation import Situation
from policies.diagnosis import Bottleneck
from policies.proposal import Action, Proposal


@dataclass(frozen=True, slots=True)
class Arbitration:
    """The proposal; `taken` is the action of each group, None where it has none.

    `step_of` names the step taken with each knob.
    """

    proposal: Proposal
    taken: tuple[Action | None, ...]
    step_of: Mapping[str, str]


def arbitrate(
    situation: Situation,
    unavailable: Mapping[str, str],
    spent: Mapping[str, float],
    groups: Sequence[Iterable[Alternative]],
) -> Arbitration:
    """Take the first step of each group that nothing speaks against, the first groups first.

    `unavailable` says which knobs must not be turned now and why, `spent` until when a step is
    left alone that was tried on the same evidence.
    """
    arbiter = _Arbiter(situation, unavailable, spent)
    taken = tuple(arbiter.take(group) for group in groups)
    step_of = {action.knob: arbiter.key(step) for step, action in arbiter.actions.items()}
    return Arbitration(arbiter.proposal(), taken, step_of)


@dataclass(frozen=True, slots=True)
class _Arbiter:
    """Collects the steps that are taken, by their names, and why the others were not."""

    situation: Situation
    unavailable: Mapping[str, str]
    spent: Mapping[str, float]
    actions: dict[str, Action] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    step_on: dict[str, str] = field(default_factory=dict)

    def take(self, group: Iterable[Alternative]) -> Action | None:
        """The action of the first step of a group that nothing speaks against."""
        first: Alternative | None = None
        for each in group:
            objection = self._objection(each)
            if objection is None and first is not None:
                objection = f"{first.step} comes first and is judged first"
            if objection is None:
                objection = self._occupied(each)
            if objection is not None:
                self.rejected.setdefault(each.step, objection)
            elif each.action is not None:
                first = each
                self.actions[each.step] = each.action
                self.step_on[self._resource(each.action)] = each.step
        return None if first is None else first.action

    def proposal(self) -> Proposal:
        """The steps taken, or why none was.

        A step that one of the three questions rejects may be the answer to another.
        """
        taken = self.step_on.values()
        rejected = tuple(
            f"{step}: {why_not}" for step, why_not in self.rejected.items() if step not in taken
        )
        if self.actions:
            return Proposal(tuple(self.actions.values()), rejected=rejected)
        diagnosis = self.situation.diagnosis
        summary = diagnosis.summary
        if diagnosis.bottleneck is not Bottleneck.NONE and rejected:
            summary = f"{summary}; no step against it is open now"
        return Proposal(reason=summary, rejected=rejected)

    def key(self, step: str) -> str:
        """The bottleneck and what was done: against another bottleneck it is other evidence."""
        return f"{self.situation.diagnosis.bottleneck}/{step}"

    def _occupied(self, each: Alternative) -> str | None:
        """Which step was taken already on the same resource; None where none was."""
        first = None if each.action is None else self.step_on.get(self._resource(each.action))
        return None if first is None else f"{first} comes first on the same resource"

    def _resource(self, action: Action) -> str:
        return self.situation.knobs[action.knob].resource

    def _objection(self, each: Alternative) -> str | None:
        if each.action is None:
            return each.why_not
        if each.action.knob in self.unavailable:
            return self.unavailable[each.action.knob]
        until_s = self.spent.get(self.key(each.step))
        if until_s is None:
            return None
        wait_s = until_s - self.situation.time_s
        return f"tried on the same evidence without success; again in {wait_s:.0f} s"

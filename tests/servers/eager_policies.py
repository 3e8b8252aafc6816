"""Policies that act though nothing is missed: how much hogs disturb is the kernel's luck."""

from __future__ import annotations

import os
from pathlib import Path

from policies.conductor.remedies.threads import steps
from policies.objective import Priority
from policies.policy import Context, State
from policies.proposal import Action, Effect, Expectation, Proposal

EFFECT = Effect("miss_rate", "of the blocks", (Expectation(0.0, 0.0, 1.0),))


class Eager:
    """Takes the first step that thread classes allow."""

    name = "eager"

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        now = context.settings.get("thread_classes")
        if now is None:
            return Proposal(), state
        ladder = steps(context.knobs["thread_classes"].domain, now, Priority.AUDIO)
        actions = [Action("thread_classes", each.classes, each.gain, EFFECT) for each in ladder]
        return Proposal(tuple(actions[:1])), state


class Longer:
    """Doubles the period that was found."""

    name = "longer"

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        found, *longer = context.knobs["period_frames"].domain.values
        if not longer or context.settings.get("period_frames") != found:
            return Proposal(), state
        return Proposal((Action("period_frames", longer[0], "for a test", EFFECT),)), state


class LongerOnceAsked(Longer):
    """Doubles the period once the file is there that `LONGER_ONCE` names."""

    name = "longer-once-asked"

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        asked = Path(os.environ["LONGER_ONCE"]).exists()
        return super().decide(context, state) if asked else (Proposal(), state)

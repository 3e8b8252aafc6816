"""Changes from admission to verdict: applied, judged, rolled back where they did harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from controller.actuation import Actuation
from controller.guard.guard import Guard
from controller.plants.plant import Plant
from controller.verification import Verifier
from policies.knobs import Direction
from policies.observation import Observation
from policies.proposal import Change, Refusal, Verdict, Verification


class Changes:
    """Applies what the guard admitted, and follows each change until it is judged.

    `verified` and `refusals` hold what came of changes in this tick; the loop records them and
    empties both. `alarm` is called with what a person should know.
    """

    def __init__(
        self,
        plant: Plant,
        guard: Guard,
        verifier: Verifier,
        actuation: Actuation,
        alarm: Callable[[str], None],
    ) -> None:
        self._plant = plant
        self._guard = guard
        self._verifier = verifier
        self._actuation = actuation
        self._alarm = alarm
        self.verified: list[Verification] = []
        self.refusals: list[Refusal] = []

    def apply(self, changes: Sequence[Change], time_s: float) -> None:
        """Apply each change, in shadow none; one that the plant refuses is judged at once."""
        if self._guard.in_shadow:
            return
        for change in changes:
            knob, value = change.action.knob, change.action.value
            refusal = self._plant.apply(knob, value)
            if refusal is None:
                superseded = f"{change.id} came before it could be judged"
                self.verified += self._verifier.abandon(knob, superseded)
                self._actuation.request(knob, value, time_s)
                self._verifier.watch(change)
            else:
                self.refusals.append(refusal)
                self._guard.refused(knob, value, time_s)
                came_of_it = self._verifier.refused(change, refusal.reason, passing=refusal.passing)
                self.verified.append(came_of_it)

    def verify(self, observation: Observation) -> None:
        """Judge the changes whose time has come, and roll back those that did harm."""
        if self._guard.in_shadow:
            return
        judged = self._verifier.judge(observation, self._actuation, self._plant.knobs())
        for change, verification in judged:
            harmful = verification.verdict is Verdict.ROLLED_BACK
            kept = self._roll_back(change, observation.time_s) if harmful else None
            if kept is not None:
                reason = f"{verification.reason}; harmful, yet it stays: {kept}"
                self._alarm(f"{change.action.knob}: {reason}")
                verification = replace(verification, verdict=Verdict.FELL_SHORT, reason=reason)
            self.verified.append(verification)
        self._expire_requests(observation.time_s)

    def take_over(self, time_s: float) -> None:
        """Go on with the changes an earlier run left under evaluation, where still in force."""
        settings = self._plant.in_force()
        for change in self._verifier.pending():
            knob, value = change.action.knob, change.action.value
            known = knob in self._actuation.states
            if known and not self._guard.in_shadow and settings.get(knob, value) == value:
                self._actuation.take_over(knob, value, time_s)
            else:
                reason = "no longer in force when the controller started again"
                self.verified += self._verifier.abandon(knob, reason)

    def accept_lapses(self) -> None:
        """Take what the plant itself restored as found: no other hand did that."""
        lapsed = {knob: each.lapsed for knob, each in self._plant.knobs().items() if each.lapsed}
        for knob, why in lapsed.items():
            if self._actuation.states[knob].requested is not None:
                self.verified += self._verifier.abandon(knob, why)
                self._actuation.adopt(knob)
                self._alarm(f"{knob}: {why}")

    def _expire_requests(self, time_s: float) -> None:
        """Expire requests that are overdue, and leave their knobs alone for a while."""
        for knob, why in self._actuation.expire(time_s).items():
            self._alarm(f"{knob}: {why}")
            self._guard.expired(knob, time_s)

    def _roll_back(self, change: Change, time_s: float) -> str | None:
        """Roll a harmful change back; where that cannot be, why not."""
        knob = change.action.knob
        after = change.previous
        direction = self._plant.knobs()[knob].direction(change.action.value, after)
        if (paused := self._guard.paused(knob, direction, time_s)) is not None:
            return paused
        refusal = self._plant.apply(knob, after)
        if refusal is not None:
            self.refusals.append(refusal)
            self._guard.refused(knob, after, time_s)
            return refusal.reason
        self._actuation.request(knob, after, time_s)
        self._guard.rolled_back(knob, time_s, shrink=direction is Direction.GROW)
        return None

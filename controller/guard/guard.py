"""The guard between a decision and the plant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.commands import Pause
from controller.config.config import GuardSection
from controller.guard.demand import for_nobody, forecast_peak, gap, without_data
from controller.guard.review_context import ReviewContext
from controller.guard.steps import (
    awaited,
    evaluation,
    is_growth,
    is_in_force,
    not_allowed,
    shrinks,
    within_a_step,
    yielding,
)
from controller.plain_json import JsonValue, from_plain, to_plain
from policies.knobs import Direction, Knob, KnobValue
from policies.observation import fresh
from policies.proposal import Action, Change, Hold, Proposal

RATE_WINDOW_S = 60.0
"""Seconds over which admitted changes are counted against the limit of a minute."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """A knob is left alone until then, and after what."""

    until_s: float
    after: str


@dataclass(frozen=True, slots=True)
class _Refused:
    """The value that the plant last would not take, and until when it is not asked again."""

    value: KnobValue
    until_s: float


@dataclass(slots=True)
class _Memory:  # its name in the journals that exist
    """The state that outlives the process; `prefix` and `count` keep the ids of changes unique.

    Rollbacks of shrinks are `undone_shrinks_at_s`, and all others `rollbacks_at_s`.
    """

    prefix: str = ""
    count: int = 0
    admitted_at_s: list[float] = field(default_factory=list)
    rests: dict[str, _Rest] = field(default_factory=dict)
    refused: dict[str, _Refused] = field(default_factory=dict)
    rollbacks_at_s: dict[str, list[float]] = field(default_factory=dict)
    undone_shrinks_at_s: dict[str, list[float]] = field(default_factory=dict)
    pauses: list[Pause] = field(default_factory=list)
    complete_load: float | None = None
    forecast_peak: float | None = None


class Guard:
    """Admits an action as a Change, or holds it and says why.

    Held are: a paused knob, one in shadow after too many rollbacks, one that another hand
    moved (until `resume` of that knob), one at rest, one whose resource is under evaluation,
    anything beyond the rate or the knob's domain, a shrink that was not proposed long enough
    without a break, a growth for nobody, and what missing data forbids. A hold that lasts raises
    an alarm; it never releases anything. A growth that has not arrived yet may be followed by
    a larger one of the same knob, and a shrink by a growth, which then take over its
    evaluation: who waits for one node to be judged before asking for the next comes too late.
    Where only some knobs may be turned, those in `acting`, the others are blocked; with None,
    nothing is. With none of them all is in shadow: nothing comes of what is admitted, so it
    makes no knob rest and counts for no rate; and what goes on to be wanted is admitted once.
    Where no deadline holds (a server freewheels) nothing is turned, and nothing held either.
    """

    def __init__(self, limits: GuardSection, acting: frozenset[str] | None = None) -> None:
        self.limits = limits
        self._acting = acting
        self._state = _Memory()
        self._shrinking_since_s: dict[str, float] = {}
        self._held_since_s: dict[str, float] = {}
        self._wanted: dict[str, tuple[KnobValue, KnobValue]] = {}

    @property
    def in_shadow(self) -> bool:
        """Whether no knob may be turned at all."""
        return self._acting == frozenset()

    def unavailable(self, context: ReviewContext) -> dict[str, str]:
        """The knobs that must not be turned now in any direction, each with the reason."""
        if self._is_at_ease(context):
            return {}
        return {
            knob.id: reason
            for knob in context.knobs.values()
            if (reason := self._block(knob, context)) is not None
        }

    def review(
        self, proposal: Proposal, context: ReviewContext
    ) -> tuple[tuple[Change, ...], tuple[Hold, ...]]:
        """Admit or hold each action, in order; a drifted knob is held even where none asks."""
        self._note_demand(context)
        if context.observation.no_deadline:
            self._shrinking_since_s, self._held_since_s, self._wanted = {}, {}, {}
            return (), ()
        self._note_shrinking(proposal, context)
        changes: list[Change] = []
        held: dict[str, str] = dict(context.drift)
        wanted, self._wanted = self._wanted, {}
        for action in proposal.actions:
            if is_in_force(action, context):
                continue
            if self._is_under_way(action, context):
                continue
            reason = self._objection(action, context)
            if reason is None:
                change = self._admit(action, context)
                resource = context.knobs[action.knob].resource
                context = replace(context, pending={**context.pending, resource: change})
                turned = self._wanted[action.knob] = (change.previous, change.action.value)
                if not (self.in_shadow and wanted.get(action.knob) == turned):
                    changes.append(change)
            else:
                held.setdefault(action.knob, reason)
        return tuple(changes), self._holds(held, context)

    def rolled_back(self, knob: str, time_s: float, *, shrink: bool = False) -> None:
        """Let a knob rest after a rollback, and count it towards its shadow.

        After a `shrink` that was rolled back only the next shrink has to wait: what was given back
        in error is needed, and perhaps more of it.
        """
        if shrink:
            self._state.undone_shrinks_at_s.setdefault(knob, []).append(time_s)
            return
        self._state.rollbacks_at_s.setdefault(knob, []).append(time_s)
        self._rest(knob, time_s + self.limits.rollback_cooldown_s, "a rollback")

    def refused(self, knob: str, value: KnobValue, time_s: float) -> None:
        """Note what the plant would not take: asking again at once is no use, another value is."""
        until_s = time_s + self.limits.rollback_cooldown_s
        self._state.refused[knob] = _Refused(value, until_s)

    def expired(self, knob: str, time_s: float) -> None:
        """Let a knob rest after a request that expired: more would not come into force either."""
        until_s = time_s + self.limits.rollback_cooldown_s
        self._rest(knob, until_s, "a request that did not come into force")

    def pause(self, pause: Pause) -> None:
        """Obey; a pause of the same scope is replaced."""
        others = [each for each in self._state.pauses if each.knob != pause.knob]
        self._state.pauses = [*others, pause]

    def resume_knob(self, knob: str | None) -> None:
        """End the pauses and the shadow of this knob, None: of all; shrinking starts over."""
        state = self._state
        state.pauses = [each for each in state.pauses if knob not in (None, each.knob)]
        for rollbacks_at_s in (state.rollbacks_at_s, state.undone_shrinks_at_s):
            for each in [knob] if knob is not None else list(rollbacks_at_s):
                rollbacks_at_s.pop(each, None)
        self._shrinking_since_s.clear()

    def paused(self, knob: str, direction: Direction, time_s: float) -> str | None:
        """Why a person's pause forbids turning the knob that way; None where none does."""
        for pause in self._state.pauses:
            applies = pause.knob in (None, knob)
            applies &= not pause.shrink_only or direction is Direction.SHRINK
            if applies and (pause.until_s is None or time_s < pause.until_s):
                return _describe(pause, time_s)
        return None

    def saved(self) -> JsonValue:
        """All that must outlive the process. Streaks of proposals and holds start over."""
        return to_plain(self._state)

    def resume(self, saved: JsonValue) -> None:
        """Go on from what `saved` returned in an earlier run."""
        self._state = from_plain(saved, _Memory)

    def _is_at_ease(self, context: ReviewContext) -> bool:
        """Whether nothing is there that could block any knob, as at most ticks."""
        state = self._state
        return not (
            self._acting
            or context.observation.no_deadline
            or any(each.awaits or each.obstacle for each in context.knobs.values())
            or context.pending
            or context.drift
            or state.pauses
            or state.rollbacks_at_s
            or len(state.admitted_at_s) >= self.limits.changes_per_minute
            or any(context.time_s < rest.until_s for rest in state.rests.values())
        )

    def _block(self, knob: Knob, context: ReviewContext) -> str | None:
        """Why the knob may be turned in no direction."""
        return (
            self._not_acting(knob.id)
            or context.observation.no_deadline
            or self.paused(knob.id, Direction.GROW, context.time_s)
            or self._shadow(knob.id, context.time_s)
            or context.drift.get(knob.id)
            or knob.obstacle
            or self._resting(knob.id, context.time_s)
            or self._rate(context.time_s)
            or awaited(knob, context)
            or (None if yielding(knob, context) is not None else evaluation(knob, context))
        )

    def _objection(self, action: Action, context: ReviewContext) -> str | None:
        """Why this action is not admitted; None where it is."""
        knob = context.knobs[action.knob]
        if (blocked := self._block(knob, context)) is not None:
            return blocked
        change = yielding(knob, context)
        if change is not None and not self._goes_further(action, change, context):
            return evaluation(knob, context)
        if action.knob not in context.settings:
            return "its value in force is unknown, so that nothing could be rolled back to"
        if not knob.domain.allows(action.value):
            return f"{not_allowed(action.value, knob)} is not allowed: {knob.domain}"
        direction = knob.direction(context.settings[action.knob], action.value)
        state = self._state
        return (
            self.paused(action.knob, direction, context.time_s)
            or self._refusal(action, context)
            or self._hysteresis(action.knob, direction, context.time_s)
            or without_data(action, direction, context, state.complete_load, state.forecast_peak)
            or for_nobody(direction, context)
        )

    def _is_under_way(self, action: Action, context: ReviewContext) -> bool:
        """Whether that was asked for already and is only awaited."""
        knob = context.knobs[action.knob]
        change = yielding(knob, context)
        if change is None or not knob.domain.allows(action.value):
            return False
        return change.action.value == self._reachable(action, context)

    def _goes_further(self, action: Action, change: Change, context: ReviewContext) -> bool:
        knob = context.knobs[action.knob]
        if not knob.domain.allows(action.value):
            return True  # which is no objection yet: the domain has one of its own
        return is_growth(knob, change.action.value, self._reachable(action, context))

    def _not_acting(self, knob: str) -> str | None:
        if not self._acting or knob in self._acting:
            return None
        return f"in shadow; `--act {knob}` lets it be turned"

    def _shadow(self, knob: str, time_s: float) -> str | None:
        often = self._too_often(knob, self._state.rollbacks_at_s, time_s)
        return None if often is None else f"in shadow: {often}"

    def _too_often(
        self, knob: str, rollbacks_at_s: Mapping[str, list[float]], time_s: float
    ) -> str | None:
        window_s = self.limits.rollback_window_s
        recent = [each for each in rollbacks_at_s.get(knob, ()) if time_s - each < window_s]
        if len(recent) < self.limits.rollbacks_to_shadow:
            return None
        return (
            f"rolled back {len(recent)} times within {window_s:.0f} s; "
            f"`kapellmeister resume --knob {knob}` ends that"
        )

    def _resting(self, knob: str, time_s: float) -> str | None:
        rest = self._state.rests.get(knob)
        if rest is None or time_s >= rest.until_s:
            return None
        return f"rests another {rest.until_s - time_s:.1f} s after {rest.after}"

    def _refusal(self, action: Action, context: ReviewContext) -> str | None:
        refused = self._state.refused.get(action.knob)
        if refused is None or context.time_s >= refused.until_s:
            return None
        if refused.value != self._reachable(action, context):
            return None
        wait_s = refused.until_s - context.time_s
        return f"the plant refused that value, and is asked again in {wait_s:.1f} s"

    def _rate(self, time_s: float) -> str | None:
        if len(self._state.admitted_at_s) < self.limits.changes_per_minute:
            return None
        recent = [each for each in self._state.admitted_at_s if time_s - each < RATE_WINDOW_S]
        self._state.admitted_at_s = recent
        if len(recent) < self.limits.changes_per_minute:
            return None
        return f"{len(recent)} changes were made within the last {RATE_WINDOW_S:.0f} s"

    def _hysteresis(self, knob: str, direction: Direction, time_s: float) -> str | None:
        if direction is not Direction.SHRINK:
            return None
        undone_at_s = self._state.undone_shrinks_at_s
        if (often := self._too_often(knob, undone_at_s, time_s)) is not None:
            return f"not shrunk: {often}"
        if knob in undone_at_s:
            rests_s = undone_at_s[knob][-1] + self.limits.rollback_cooldown_s - time_s
            if rests_s > 0.0:
                return f"not shrunk for another {rests_s:.1f} s after a rollback"
        proposed_s = time_s - self._shrinking_since_s[knob]
        if proposed_s >= self.limits.shrink_after_s:
            return None
        return (
            f"shrinking has been proposed for {proposed_s:.1f} s of "
            f"{self.limits.shrink_after_s:.1f} s without a break"
        )

    def _note_demand(self, context: ReviewContext) -> None:
        if context.forecast is not None:
            self._state.forecast_peak = forecast_peak(context.forecast)
        load = fresh(context.observation.load)
        if load is not None and gap(context.observation, self._state.complete_load) is None:
            self._state.complete_load = load

    def _note_shrinking(self, proposal: Proposal, context: ReviewContext) -> None:
        since_s = self._shrinking_since_s
        self._shrinking_since_s = {
            action.knob: since_s.get(action.knob, context.time_s)
            for action in proposal.actions
            if shrinks(action, context)
        }

    def _admit(self, action: Action, context: ReviewContext) -> Change:
        """Make the change, at most one step of the knob's bounds away."""
        state, now_s = self._state, context.time_s
        knob, previous = context.knobs[action.knob], context.settings[action.knob]
        value = self._reachable(action, context)
        state.prefix = state.prefix or f"{now_s:.0f}"
        state.count += 1
        if not self.in_shadow:
            state.admitted_at_s.append(now_s)
            self._rest(knob.id, now_s + self.limits.cooldown_s, "a change")
        due_s = now_s + context.delays_s.get(knob.id, knob.delay_s) + knob.settle_s
        change_id = f"{state.prefix}-c{state.count}"
        if value != action.value:  # or the reason would speak of another value than is turned to
            told = f"{action.reason}; one change goes no further than {value}"
            action = replace(action, value=value, reason=told)
        return Change(change_id, action, previous, now_s, due_s)

    def _reachable(self, action: Action, context: ReviewContext) -> KnobValue:
        knob, before = context.knobs[action.knob], context.settings[action.knob]
        one_step = gap(context.observation, self._state.complete_load) is not None
        return within_a_step(knob, before, action.value, one_step)

    def _rest(self, knob: str, until_s: float, after: str) -> None:
        self._state.rests[knob] = _Rest(until_s, after)

    def _holds(self, held: Mapping[str, str], context: ReviewContext) -> tuple[Hold, ...]:
        """Each with whether it is an alarm: at once where another hand's value does harm."""
        if not held and not self._held_since_s:
            return ()
        time_s, since_s = context.time_s, self._held_since_s
        self._held_since_s = {knob: since_s.get(knob, time_s) for knob in held}
        missed = fresh(context.observation.miss_rate) or 0.0
        harmed = context.drift if missed > context.objective.target_miss_rate else {}
        limit_s = self.limits.hold_alarm_s
        return tuple(
            Hold(knob, held[knob], since_s, alarm=knob in harmed or time_s - since_s > limit_s)
            for knob, since_s in self._held_since_s.items()
        )


def _describe(pause: Pause, time_s: float) -> str:
    what = "shrinking is paused" if pause.shrink_only else "paused"
    if pause.until_s is None:
        return f"{what} until resumed"
    return f"{what} for another {pause.until_s - time_s:.0f} s"

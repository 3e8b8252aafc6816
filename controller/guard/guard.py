"""What stands between a decision and the plant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.commands import Pause
from controller.config.config import GuardSection
from controller.plain import JsonValue, from_plain, to_plain
from policies.forecast import Forecast
from policies.knobs import (
    AnyThreadClasses,
    Bounds,
    Choice,
    Direction,
    Knob,
    KnobValue,
    Settings,
    ThreadClasses,
)
from policies.objective import Objective
from policies.observation import Observation, fresh
from policies.proposal import Action, Change, Hold, Proposal

RATE_WINDOW_S = 60.0
DEMAND_QUANTILE = 0.5
RARE_QUANTILE = 0.99
LEAST_LOAD = 0.5
"""Fewer streams than this are none."""


@dataclass(slots=True)
class Situation:
    """All that an admission depends on beside the guard's own memory.

    Not frozen, since one is made each tick, and freezing is most of what that costs.
    `drift` names the knobs that another hand moved, and how; `pending` the change under
    evaluation on each resource; `delays_s` how long each knob takes.
    """

    time_s: float
    objective: Objective
    observation: Observation
    forecast: Forecast | None
    knobs: Mapping[str, Knob]
    settings: Settings
    drift: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[str, Change] = field(default_factory=dict)
    delays_s: Mapping[str, float] = field(default_factory=dict)


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
class _Memory:
    """What outlives the process; `prefix` and `count` keep the ids of changes unique.

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
        self._memory = _Memory()
        self._shrinking_since_s: dict[str, float] = {}
        self._held_since_s: dict[str, float] = {}
        self._wanted: dict[str, tuple[KnobValue, KnobValue]] = {}

    @property
    def in_shadow(self) -> bool:
        """Whether no knob may be turned at all."""
        return self._acting == frozenset()

    def unavailable(self, situation: Situation) -> dict[str, str]:
        """The knobs that must not be turned now in any direction, each with the reason."""
        if self._is_at_ease(situation):
            return {}
        return {
            knob.id: reason
            for knob in situation.knobs.values()
            if (reason := self._block(knob, situation)) is not None
        }

    def review(
        self, proposal: Proposal, situation: Situation
    ) -> tuple[tuple[Change, ...], tuple[Hold, ...]]:
        """Admit or hold each action, in order; a drifted knob is held even where none asks."""
        self._note_demand(situation)
        if situation.observation.no_deadline:
            self._shrinking_since_s, self._held_since_s, self._wanted = {}, {}, {}
            return (), ()
        self._note_shrinking(proposal, situation)
        changes: list[Change] = []
        held: dict[str, str] = dict(situation.drift)
        wanted, self._wanted = self._wanted, {}
        for action in proposal.actions:
            if _is_in_force(action, situation):
                continue
            if self._is_under_way(action, situation):
                continue
            reason = self._objection(action, situation)
            if reason is None:
                change = self._admit(action, situation)
                resource = situation.knobs[action.knob].resource
                situation = replace(situation, pending={**situation.pending, resource: change})
                turn = self._wanted[action.knob] = (change.previous, change.action.value)
                if not (self.in_shadow and wanted.get(action.knob) == turn):
                    changes.append(change)
            else:
                held.setdefault(action.knob, reason)
        return tuple(changes), self._holds(held, situation)

    def rolled_back(self, knob: str, time_s: float, *, shrink: bool = False) -> None:
        """Let a knob rest after a rollback, and count it towards its shadow.

        Where it was a `shrink` that was undone, only the next shrink has to wait: what was given
        back in error is needed, and perhaps more of it.
        """
        if shrink:
            self._memory.undone_shrinks_at_s.setdefault(knob, []).append(time_s)
            return
        self._memory.rollbacks_at_s.setdefault(knob, []).append(time_s)
        self._rest(knob, time_s + self.limits.rollback_cooldown_s, "a rollback")

    def refused(self, knob: str, value: KnobValue, time_s: float) -> None:
        """Note what the plant would not take: asking again at once is no use, another value is."""
        until_s = time_s + self.limits.rollback_cooldown_s
        self._memory.refused[knob] = _Refused(value, until_s)

    def unheeded(self, knob: str, time_s: float) -> None:
        """Let a knob rest after a request that never came into force: more would not either."""
        until_s = time_s + self.limits.rollback_cooldown_s
        self._rest(knob, until_s, "a request that did not come into force")

    def pause(self, pause: Pause) -> None:
        """Obey; a pause of the same scope is replaced."""
        others = [each for each in self._memory.pauses if each.knob != pause.knob]
        self._memory.pauses = [*others, pause]

    def resume_knob(self, knob: str | None) -> None:
        """End the pauses and the shadow of this knob, None: of all; shrinking starts over."""
        memory = self._memory
        memory.pauses = [each for each in memory.pauses if knob not in (None, each.knob)]
        for rollbacks_at_s in (memory.rollbacks_at_s, memory.undone_shrinks_at_s):
            for each in [knob] if knob is not None else list(rollbacks_at_s):
                rollbacks_at_s.pop(each, None)
        self._shrinking_since_s.clear()

    def paused(self, knob: str, direction: Direction, time_s: float) -> str | None:
        """Why a person's pause forbids turning the knob that way; None where none does."""
        for pause in self._memory.pauses:
            applies = pause.knob in (None, knob)
            applies &= not pause.shrink_only or direction is Direction.SHRINK
            if applies and (pause.until_s is None or time_s < pause.until_s):
                return _describe(pause, time_s)
        return None

    def memory(self) -> JsonValue:
        """What must outlive the process. Streaks of proposals and holds start over."""
        return to_plain(self._memory)

    def resume(self, memory: JsonValue) -> None:
        """Go on from what `memory` returned in an earlier run."""
        self._memory = from_plain(memory, _Memory)

    def _is_at_ease(self, situation: Situation) -> bool:
        """Whether nothing is there that could block any knob, as at most ticks."""
        memory = self._memory
        return not (
            self._acting
            or situation.observation.no_deadline
            or any(each.awaits or each.obstacle for each in situation.knobs.values())
            or situation.pending
            or situation.drift
            or memory.pauses
            or memory.rollbacks_at_s
            or len(memory.admitted_at_s) >= self.limits.changes_per_minute
            or any(situation.time_s < rest.until_s for rest in memory.rests.values())
        )

    def _block(self, knob: Knob, situation: Situation) -> str | None:
        """Why the knob may be turned in no direction."""
        return (
            self._not_acting(knob.id)
            or situation.observation.no_deadline
            or self.paused(knob.id, Direction.GROW, situation.time_s)
            or self._shadow(knob.id, situation.time_s)
            or situation.drift.get(knob.id)
            or knob.obstacle
            or self._resting(knob.id, situation.time_s)
            or self._rate(situation.time_s)
            or _awaited(knob, situation)
            or (None if _yielding(knob, situation) is not None else _evaluation(knob, situation))
        )

    def _objection(self, action: Action, situation: Situation) -> str | None:
        """Why this action is not admitted; None where it is."""
        knob = situation.knobs[action.knob]
        if (blocked := self._block(knob, situation)) is not None:
            return blocked
        yielding = _yielding(knob, situation)
        if yielding is not None and not self._goes_further(action, yielding, situation):
            return _evaluation(knob, situation)
        if action.knob not in situation.settings:
            return "its value in force is unknown, so that nothing could be rolled back to"
        if not knob.domain.allows(action.value):
            return f"{_not_allowed(action.value, knob)} is not allowed: {knob.domain}"
        direction = knob.direction(situation.settings[action.knob], action.value)
        return (
            self.paused(action.knob, direction, situation.time_s)
            or self._refusal(action, situation)
            or self._hysteresis(action.knob, direction, situation.time_s)
            or self._without_data(action, direction, situation)
            or _for_nobody(direction, situation)
        )

    def _is_under_way(self, action: Action, situation: Situation) -> bool:
        """Whether that was asked for already and is only awaited."""
        knob = situation.knobs[action.knob]
        yielding = _yielding(knob, situation)
        if yielding is None or not knob.domain.allows(action.value):
            return False
        return yielding.action.value == self._reachable(action, situation)

    def _goes_further(self, action: Action, yielding: Change, situation: Situation) -> bool:
        knob = situation.knobs[action.knob]
        if not knob.domain.allows(action.value):
            return True  # which is no objection yet: the domain has one of its own
        return _is_growth(knob, yielding.action.value, self._reachable(action, situation))

    def _not_acting(self, knob: str) -> str | None:
        if not self._acting or knob in self._acting:
            return None
        return f"in shadow; `--act {knob}` lets it be turned"

    def _shadow(self, knob: str, time_s: float) -> str | None:
        often = self._too_often(knob, self._memory.rollbacks_at_s, time_s)
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
        rest = self._memory.rests.get(knob)
        if rest is None or time_s >= rest.until_s:
            return None
        return f"rests another {rest.until_s - time_s:.1f} s after {rest.after}"

    def _refusal(self, action: Action, situation: Situation) -> str | None:
        refused = self._memory.refused.get(action.knob)
        if refused is None or situation.time_s >= refused.until_s:
            return None
        if refused.value != self._reachable(action, situation):
            return None
        wait_s = refused.until_s - situation.time_s
        return f"the plant refused that value, and is asked again in {wait_s:.1f} s"

    def _rate(self, time_s: float) -> str | None:
        if len(self._memory.admitted_at_s) < self.limits.changes_per_minute:
            return None
        recent = [each for each in self._memory.admitted_at_s if time_s - each < RATE_WINDOW_S]
        self._memory.admitted_at_s = recent
        if len(recent) < self.limits.changes_per_minute:
            return None
        return f"{len(recent)} changes were made within the last {RATE_WINDOW_S:.0f} s"

    def _hysteresis(self, knob: str, direction: Direction, time_s: float) -> str | None:
        if direction is not Direction.SHRINK:
            return None
        undone_at_s = self._memory.undone_shrinks_at_s
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

    def _without_data(
        self, action: Action, direction: Direction, situation: Situation
    ) -> str | None:
        """Never shrink without data; grow only where something else shows demand.

        So does the very quantity that the growth is to bring down, where it is not one of those
        that are missing: of programs nothing but their delay is ever known.
        """
        gap = self._gap(situation.observation)
        if gap is None:
            return None
        if direction is Direction.SHRINK:
            return f"nothing shrinks while {gap}"
        measured = fresh(situation.observation.get(action.effect.quantity))
        if measured is not None or self._shows_demand(situation):
            return None
        return f"{gap}, and nothing else shows demand"

    def _gap(self, observation: Observation) -> str | None:
        """What is not known; an idle plant without blocks lacks nothing."""
        load = fresh(observation.load)
        if load is None and self._memory.complete_load is not None:
            return "the load is not known"
        if load != 0.0 and (observation.blocks is None or not observation.blocks.submitted):
            return "the miss rate is not known"
        return None

    def _shows_demand(self, situation: Situation) -> bool:
        """A late block, a load above the last that was seen with complete data, or its forecast."""
        latency_ms = fresh(situation.observation.latency.p99_ms)
        if latency_ms is not None and latency_ms > situation.objective.deadline_ms:
            return True
        known = self._memory.complete_load
        signs = (fresh(situation.observation.load), self._memory.forecast_peak)
        return known is not None and any(sign is not None and sign > known for sign in signs)

    def _note_demand(self, situation: Situation) -> None:
        if situation.forecast is not None:
            steps = situation.forecast.steps
            peak = situation.forecast.peak_quantile(DEMAND_QUANTILE, steps)
            self._memory.forecast_peak = peak
        load = fresh(situation.observation.load)
        if load is not None and self._gap(situation.observation) is None:
            self._memory.complete_load = load

    def _note_shrinking(self, proposal: Proposal, situation: Situation) -> None:
        since_s = self._shrinking_since_s
        self._shrinking_since_s = {
            action.knob: since_s.get(action.knob, situation.time_s)
            for action in proposal.actions
            if _shrinks(action, situation)
        }

    def _admit(self, action: Action, situation: Situation) -> Change:
        """Make the change, at most one step of the knob's bounds away."""
        memory, now_s = self._memory, situation.time_s
        knob, previous = situation.knobs[action.knob], situation.settings[action.knob]
        value = self._reachable(action, situation)
        memory.prefix = memory.prefix or f"{now_s:.0f}"
        memory.count += 1
        if not self.in_shadow:
            memory.admitted_at_s.append(now_s)
            self._rest(knob.id, now_s + self.limits.cooldown_s, "a change")
        due_s = now_s + situation.delays_s.get(knob.id, knob.delay_s) + knob.settle_s
        change_id = f"{memory.prefix}-c{memory.count}"
        if value != action.value:  # or the reason would speak of another value than is turned to
            told = f"{action.reason}; one change goes no further than {value}"
            action = replace(action, value=value, reason=told)
        return Change(change_id, action, previous, now_s, due_s)

    def _reachable(self, action: Action, situation: Situation) -> KnobValue:
        knob, before = situation.knobs[action.knob], situation.settings[action.knob]
        one_step = self._gap(situation.observation) is not None
        return _within_a_step(knob, before, action.value, one_step)

    def _rest(self, knob: str, until_s: float, after: str) -> None:
        self._memory.rests[knob] = _Rest(until_s, after)

    def _holds(self, held: Mapping[str, str], situation: Situation) -> tuple[Hold, ...]:
        """Each with whether it is an alarm: at once where another hand's value does harm."""
        if not held and not self._held_since_s:
            return ()
        time_s, since_s = situation.time_s, self._held_since_s
        self._held_since_s = {knob: since_s.get(knob, time_s) for knob in held}
        missed = fresh(situation.observation.miss_rate) or 0.0
        harmed = situation.drift if missed > situation.objective.target_miss_rate else {}
        limit_s = self.limits.hold_alarm_s
        return tuple(
            Hold(knob, held[knob], since_s, alarm=knob in harmed or time_s - since_s > limit_s)
            for knob, since_s in self._held_since_s.items()
        )


def _for_nobody(direction: Direction, situation: Situation) -> str | None:
    """Nothing grows without a load where none is expected either, one time in a hundred."""
    forecast = situation.forecast
    if direction is not Direction.GROW or forecast is None:
        return None
    if fresh(situation.observation.load) != 0.0:
        return None
    if forecast.peak_quantile(RARE_QUANTILE, forecast.steps) >= LEAST_LOAD:
        return None
    return "there is no load, and none is expected"


def _not_allowed(value: KnobValue, knob: Knob) -> str:
    """The value, or of the classes of work those that ask for too much."""
    domain = knob.domain
    if not isinstance(value, ThreadClasses) or not isinstance(domain, AnyThreadClasses):
        return str(value)
    asked = (f"{name} {each}" for name, each in value.items() if not domain.permits(each))
    return "; ".join(asked)


def _awaited(knob: Knob, situation: Situation) -> str | None:
    """What the plant put in force again on the knob's resource, whose effect is not known yet."""
    others = (each for each in situation.knobs.values() if each.resource == knob.resource)
    return next((each.awaits for each in others if each.awaits), None)


def _evaluation(knob: Knob, situation: Situation) -> str | None:
    change = situation.pending.get(knob.resource)
    return None if change is None else f"{knob.resource} awaits the verification of {change.id}"


def _is_in_force(action: Action, situation: Situation) -> bool:
    """Whether nothing need be done: not so where less was asked for and has yet to come."""
    if action.value != situation.settings.get(action.knob):
        return False
    knob = situation.knobs[action.knob]
    leaving = situation.pending.get(knob.resource)
    if leaving is None or leaving.action.knob != action.knob:
        return True
    return not _is_growth(knob, leaving.action.value, action.value)


def _yielding(knob: Knob, situation: Situation) -> Change | None:
    """A change of this very knob under evaluation that gives way to a growth.

    One that is not in force yet, or a shrink: what was given back may be needed again at once.
    """
    change = situation.pending.get(knob.resource)
    if change is None or change.action.knob != knob.id or knob.id not in situation.settings:
        return None
    value = change.action.value
    growing = _is_growth(knob, situation.settings[knob.id], value)
    return change if growing or _is_growth(knob, value, change.previous) else None


def _is_growth(knob: Knob, before: KnobValue, after: KnobValue) -> bool:
    return knob.direction(before, after) is Direction.GROW


def _shrinks(action: Action, situation: Situation) -> bool:
    before = situation.settings.get(action.knob)
    if before is None or not situation.knobs[action.knob].domain.allows(action.value):
        return False
    direction = situation.knobs[action.knob].direction(before, action.value)
    return direction is Direction.SHRINK


def _within_a_step(knob: Knob, before: KnobValue, wanted: KnobValue, one_step: bool) -> KnobValue:
    """The value wanted, or as far towards it as one change may go.

    Bounds state their step; along a choice any distance will do, unless `one_step`.
    """
    domain = knob.domain
    if isinstance(domain, Bounds) and isinstance(before, int) and isinstance(wanted, int):
        return max(before - domain.step, min(before + domain.step, wanted))
    if isinstance(domain, Choice) and one_step and before in domain.values:
        here, there = domain.values.index(before), domain.values.index(wanted)
        return domain.values[max(here - 1, min(here + 1, there))]
    return wanted


def _describe(pause: Pause, time_s: float) -> str:
    what = "shrinking is paused" if pause.shrink_only else "paused"
    if pause.until_s is None:
        return f"{what} until resumed"
    return f"{what} for another {pause.until_s - time_s:.0f} s"

"""The verdict on a change: its effect, held against what was predicted at the observed load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from controller.actuation import Actuation
from controller.config.config import GuardSection
from controller.plain_json import JsonValue, from_plain, to_plain
from policies.knobs import Knob
from policies.objective import CHANCE_PERIODS, Objective
from policies.observation import BlockCounts, Observation, fresh
from policies.proposal import Change, Expectation, Verdict, Verification

MARGIN = 1.5
RELATIVE_TOLERANCE = 0.1
JITTER = 0.1


@dataclass(slots=True)
class _Pending:
    """A change under evaluation, and what was read since it came into force."""

    change: Change
    in_force_at_s: float | None = None
    loads: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    blocks: BlockCounts = field(default_factory=BlockCounts)

    def pool(self, observation: Observation) -> None:
        """Add one interval."""
        load = fresh(observation.load)
        value = fresh(observation.get(self.change.action.effect.quantity))
        self.loads += [] if load is None else [load]
        self.values += [] if value is None else [value]
        if self.in_force_at_s is not None and observation.counts_after(self.in_force_at_s):
            self.blocks += observation.blocks or BlockCounts()

    def measured(self) -> float | None:
        """The miss rate over all pooled blocks; the median of any other quantity."""
        if self.change.action.effect.quantity == "miss_rate":
            return self.blocks.miss_rate
        return median(self.values) if self.values else None

    def chance(self) -> float:
        """The miss rate of a few late periods; one delays all streams that are live at once."""
        streams = max(1.0, median(self.loads)) if self.loads else 1.0
        return CHANCE_PERIODS * streams / max(1, self.blocks.submitted)

    def expected(self) -> Expectation:
        """The prediction of the model at the load that was observed."""
        return self.change.action.effect.at(median(self.loads) if self.loads else None)


class Verifier:
    """Follows each change until it can be judged; the loop rolls back those that did harm.

    The interval in which a change came into force is discarded, and so are blocks from before
    it that are counted later; those after it, until the knob has settled, are pooled. Measured
    at most half again the prediction (or within the tolerance of it): confirmed. More than half
    again what the model says would be *without* the change at that load, and the tolerance:
    harmful. Between the two it fell short and is kept. The tolerance is the target miss rate, or
    a tenth of any other quantity, so that a miss rate on target is never harm; nor are so few
    late periods as chance may bring.
    """

    def __init__(self, limits: GuardSection, objective: Objective) -> None:
        self._limits = limits
        self._target_miss_rate = objective.target_miss_rate
        self._pending: list[_Pending] = []

    def pending(self) -> tuple[Change, ...]:
        """The changes under evaluation."""
        return tuple(each.change for each in self._pending) if self._pending else ()

    def refused(self, change: Change, reason: str, *, passing: bool = False) -> Verification:
        """The verdict on a change that the plant would not take: a policy learns from that too.

        From a refusal that may pass by itself it learns nothing about the change.
        """
        verdict = Verdict.UNDECIDED if passing else Verdict.REFUSED
        return _verification(_Pending(change), verdict, None, reason)

    def watch(self, change: Change) -> None:
        """Evaluate a change that the plant took."""
        self._pending.append(_Pending(change))

    def abandon(self, knob: str, reason: str) -> tuple[Verification, ...]:
        """End the evaluations of a knob undecided: what came of them can no longer be known."""
        ended = [each for each in self._pending if each.change.action.knob == knob]
        self._pending = [each for each in self._pending if each.change.action.knob != knob]
        return tuple(_undecided(each, reason) for each in ended)

    def abandon_all(self, reason: str) -> tuple[Verification, ...]:
        """End every evaluation undecided: the plant is not what it was when they began."""
        ended, self._pending = self._pending, []
        return tuple(_undecided(each, reason) for each in ended)

    def judge(
        self, observation: Observation, actuation: Actuation, knobs: Mapping[str, Knob]
    ) -> tuple[tuple[Change, Verification], ...]:
        """The changes that can be judged now; a harmful one has the verdict ROLLED_BACK."""
        if not self._pending:
            return ()
        judged, waiting = [], []
        for pending in self._pending:
            knob = knobs.get(pending.change.action.knob)
            verification = (
                _undecided(pending, "the plant no longer has this knob")
                if knob is None
                else self._follow(pending, knob, observation, actuation)
            )
            if verification is None:
                waiting.append(pending)
            else:
                judged.append((pending.change, verification))
        self._pending = waiting
        return tuple(judged)

    def saved(self) -> JsonValue:
        """The changes under evaluation, and what was read so far."""
        return to_plain(self._pending)

    def resume(self, saved: JsonValue) -> None:
        """Go on from what `saved` returned in an earlier run."""
        self._pending = from_plain(saved, list[_Pending])

    def _follow(
        self, pending: _Pending, knob: Knob, observation: Observation, actuation: Actuation
    ) -> Verification | None:
        now_s = observation.time_s
        if (drift := actuation.drift(now_s).get(knob.id)) is not None:
            return _undecided(pending, drift)
        if pending.in_force_at_s is not None:
            pending.pool(observation)
            return self._judge_if_due(pending, pending.in_force_at_s + knob.settle_s, observation)
        if actuation.is_in_force(knob.id):
            pending.in_force_at_s = now_s
        elif actuation.is_overdue(knob.id, now_s):
            waited_s = now_s - pending.change.admitted_at_s
            return _undecided(pending, f"still not in force after {waited_s:.1f} s")
        return None

    def _judge_if_due(
        self, pending: _Pending, due_s: float, observation: Observation
    ) -> Verification | None:
        if observation.counted_until_s < due_s - JITTER * observation.interval_s:
            return self._out_of_time(pending, due_s, observation)
        measured = pending.measured()
        if measured is not None:
            return self._judged(pending, measured)
        return self._out_of_time(pending, due_s, observation)

    def _out_of_time(
        self, pending: _Pending, due_s: float, observation: Observation
    ) -> Verification | None:
        if observation.time_s < due_s + self._limits.verify_timeout_s:
            return None
        return _undecided(pending, "no valid reading came in time")

    def _judged(self, pending: _Pending, measured: float) -> Verification:
        effect, expected = pending.change.action.effect, pending.expected()
        rated = effect.quantity == "miss_rate"
        tolerance = self._target_miss_rate if rated else RELATIVE_TOLERANCE * expected.unchanged
        harm = MARGIN * expected.unchanged + max(tolerance, pending.chance() if rated else 0.0)
        verdict = _verdict(measured, expected, tolerance, harm)
        figures = (measured, expected.changed, expected.unchanged)
        shown = [f"{x:.3%}" if rated else f"{x:.3g} {effect.unit}".rstrip() for x in figures]
        at_load = f"at load {expected.load:g} " if pending.loads else ""
        reason = (
            f"{effect.quantity} {shown[0]}; {at_load}the model says "
            f"{shown[1]} with the change and {shown[2]} without it"
        )
        return _verification(pending, verdict, measured, reason)


def _verdict(measured: float, expected: Expectation, tolerance: float, harm: float) -> Verdict:
    if measured <= max(MARGIN * expected.changed, expected.changed + tolerance):
        return Verdict.CONFIRMED
    if measured > harm:
        return Verdict.ROLLED_BACK
    return Verdict.FELL_SHORT


def _undecided(pending: _Pending, reason: str) -> Verification:
    return _verification(pending, Verdict.UNDECIDED, None, reason)


def _verification(
    pending: _Pending, verdict: Verdict, measured: float | None, reason: str
) -> Verification:
    change = pending.change
    quantity = change.action.effect.quantity
    return Verification(
        change.id, change.action.knob, verdict, quantity, pending.expected(), measured, reason
    )

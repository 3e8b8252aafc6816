"""The loop: observe, forecast, diagnose, decide, guard, apply, verify, record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from controller import untrusted
from controller.actuation import Actuation
from controller.changes import Changes
from controller.clock import Clock
from controller.command_handler import CommandHandler
from controller.commands import CommandSource
from controller.errors import ReentryError
from controller.forecasting.horizon import horizon
from controller.forecasting.supervised import Supervised
from controller.guard.guard import Guard
from controller.guard.review_context import ReviewContext
from controller.plain_json import JsonValue, from_plain, to_plain
from controller.plants.plant import Plant
from controller.tick import ForecastSummary, Tick
from controller.verification import Verifier
from policies.diagnosis import Diagnosis
from policies.forecast import Forecast
from policies.knobs import Knob, Settings
from policies.latency import LatencyModel
from policies.objective import Objective
from policies.observation import Observation
from policies.policy import Context, Policy, State
from policies.proposal import Change, Hold, Proposal, Verification


class Diagnostician(Protocol):
    """Names the bottleneck of an interval."""

    def diagnose(
        self,
        observation: Observation,
        forecast: Forecast | None,
        settings: Settings,
        knobs: Mapping[str, Knob],
    ) -> Diagnosis:
        """The bottleneck, with its evidence and the knobs that could help."""
        ...

    def track_latency(self, component: str, value_ms: float) -> None:
        """Take one latency of a component, milliseconds."""
        ...


class Recorder(Protocol):
    """Keeps each tick, and with it what a later run needs to go on from there."""

    def record(
        self,
        tick: Tick,
        saved: Callable[[], JsonValue],
        learned: Callable[[], JsonValue] | None = None,
    ) -> None:
        """Store the tick, what `saved` then returns, and `learned`: all, or nothing.

        What a forecaster learned is large and comes only now and then: the last one stays.
        """
        ...


LEARNED_EVERY_S = 300.0
"""Seconds between records of what a forecaster learned: with each tick it would cost too much."""
Instrument = Callable[[Tick], None]
"""Onlookers, called with each tick after it was recorded."""


class Loop:
    """The control loop: one tick at a time, against any plant and by any clock.

    It cannot re-enter. A tick that overruns its interval is counted, and the ticks it ran
    into are skipped, never queued. In shadow everything is decided and recorded, and nothing
    applied or verified. PlantError and JournalError end it; what a policy or a forecaster
    does wrong becomes an alarm. `horizon_s` is how far ahead the load is forecast at least: it
    is as far as the slowest knob needs; without a forecaster, it is not. `latency` is what
    policies are told of the pipeline. `warn` is asked each tick for an alarm from elsewhere.
    """

    def __init__(
        self,
        plant: Plant,
        policy: Policy,
        objective: Objective,
        forecaster: Supervised | None,
        diagnostician: Diagnostician,
        guard: Guard,
        verifier: Verifier,
        recorder: Recorder,
        commands: CommandSource,
        clock: Clock,
        interval_s: float,
        instruments: Sequence[Instrument] = (),
        horizon_s: float = 60.0,
        latency: LatencyModel | None = None,
        warn: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._plant = plant
        self._policy = policy
        self._objective = objective
        self._forecaster = forecaster
        self._diagnostician = diagnostician
        self._guard = guard
        self._verifier = verifier
        self._recorder = recorder
        self._commands = commands
        self._clock = clock
        self._interval_s = interval_s
        self._instruments = tuple(instruments)
        self._horizon_s = horizon_s
        self._latency = latency
        self._warn = warn
        self._actuation = Actuation(guard.limits.verify_timeout_s)
        self._changes = Changes(plant, guard, verifier, self._actuation, self._alarm)
        self._handler = CommandHandler(plant, guard, verifier, self._actuation)
        self._policy_state: State = None
        self._number = 0
        self._learned_due_s = -math.inf
        self._overruns = 0
        self._in_tick = False
        self._resumed = False
        self._unavailable: dict[str, str] = {}
        self._unseen: tuple[Verification, ...] = ()
        self._alarms: list[str] = []

    def run(
        self, finished: Callable[[], bool] = lambda: False, duration_s: float = math.inf
    ) -> None:
        """Tick at whole intervals from now on, until the plant or `finished` ends it.

        So many seconds are over with the tick that ends them: 2 s have two ticks of 1 s.
        """
        start_s, number = self._clock.now_s(), 1
        while (number - 1) * self._interval_s < duration_s - 1e-9:
            self._clock.sleep_until(start_s + number * self._interval_s)
            if finished():
                return
            self.tick()
            if self._plant.finished():
                return
            elapsed = (self._clock.now_s() - start_s) / self._interval_s
            following = max(number + 1, math.ceil(elapsed - 1e-9))
            self._overruns += following > number + 1
            number = following

    def tick(self) -> Tick:
        """Tick once. Raises ReentryError where a tick is in progress."""
        if self._in_tick:
            raise ReentryError
        self._in_tick = True
        try:
            return self._tick()
        finally:
            self._in_tick = False

    def saved(self) -> JsonValue:
        """All that must outlive the process, as plain JSON."""
        return {**self._essentials(), "forecaster": self._learned()}

    def _essentials(self) -> dict[str, JsonValue]:
        """State to save, without what the forecaster learned."""
        return {
            "number": self._number,
            "policy": {self._policy.name: self._policy_state},
            "guard": self._guard.saved(),
            "verifier": self._verifier.saved(),
            "actuation": self._actuation.saved(),
            "unseen": to_plain(self._unseen),
        }

    def resume(self, saved: JsonValue) -> None:
        """Go on from what `saved` returned in an earlier run; before the first tick only.

        Another policy or forecaster than then starts afresh. Raises ValueError for anything
        that `saved` did not return.
        """
        if not isinstance(saved, dict):
            raise ValueError(f"a saved state is an object, not {type(saved).__name__}")
        self._number = from_plain(saved["number"], int)
        self._policy_state = _part(saved, "policy").get(self._policy.name)
        if self._forecaster is not None:
            self._alarm(self._forecaster.resume(_part(saved, "forecaster")))
        self._guard.resume(saved["guard"])
        self._verifier.resume(saved["verifier"])
        self._actuation.resume(saved["actuation"])
        self._unseen = from_plain(saved["unseen"], tuple[Verification, ...])
        self._resumed = True

    def _tick(self) -> Tick:
        started_s = self._clock.now_s()
        self._number += 1
        observation = self._observe()
        self._alarms += observation.events
        self._obey(observation.time_s)
        forecast = self._forecast(observation)
        settings = self._actuation.settings()
        diagnosis = self._diagnose(observation, forecast, settings)
        review_context = self._review_context(observation, forecast, settings)
        proposal = self._decide(review_context, diagnosis)
        changes, holds = self._admit(proposal, review_context)
        self._changes.apply(changes, observation.time_s)
        self._changes.verify(observation)
        tick = Tick(
            number=self._number,
            time_s=observation.time_s,
            shadow=self._guard.in_shadow,
            observation=observation,
            forecast=None if forecast is None else ForecastSummary.of(forecast),
            diagnosis=diagnosis,
            proposal=proposal,
            changes=changes,
            holds=holds,
            verifications=tuple(self._changes.verified),
            refusals=tuple(self._changes.refusals),
            alarms=(*diagnosis.alarms, *self._alarms),
            settings=settings,
            states=self._actuation.states,
            duration_ms=self._since_ms(started_s),
            overruns=self._overruns,
            unavailable=self._unavailable,
        )
        return self._record(tick, started_s)

    def _observe(self) -> Observation:
        observation = self._plant.observe()
        self._alarm(self._warn())
        self._actuation.see(self._plant.knobs(), self._plant.in_force(), observation.time_s)
        if self._resumed:
            self._resumed = False
            self._changes.take_over(observation.time_s)
        self._changes.accept_lapses()
        if why := observation.discontinuity or observation.no_deadline:
            self._changes.verified += self._verifier.abandon_all(f"nothing to compare: {why}")
        return observation

    def _forecast(self, observation: Observation) -> Forecast | None:
        if self._forecaster is None:
            return None
        horizon_s, step_s = horizon(self._horizon_s, self._actuation.delays_s, self._interval_s)
        made, alarms = self._forecaster.forecast(observation, horizon_s, step_s)
        self._alarms += alarms
        return made

    def _learned(self) -> dict[str, JsonValue]:
        """All that the forecaster learned, by its name."""
        if self._forecaster is None:
            return {}
        learned, alarm = self._forecaster.saved()
        self._alarm(alarm)
        return learned

    def _diagnose(
        self, observation: Observation, forecast: Forecast | None, settings: Settings
    ) -> Diagnosis:
        knobs = self._actuation.within_limits(self._plant.knobs(), observation.time_s)
        return self._diagnostician.diagnose(observation, forecast, settings, knobs)

    def _review_context(
        self, observation: Observation, forecast: Forecast | None, settings: Settings
    ) -> ReviewContext:
        knobs = self._actuation.within_limits(self._plant.knobs(), observation.time_s)
        evaluated = self._verifier.pending()
        return ReviewContext(
            time_s=observation.time_s,
            objective=self._objective_of(observation),
            observation=observation,
            forecast=forecast,
            knobs=knobs,
            settings=settings,
            drift=self._actuation.drift(observation.time_s),
            pending={
                knobs[each.action.knob].resource: each
                for each in evaluated
                if each.action.knob in knobs
            },
            delays_s=self._actuation.delays_s,
        )

    def _objective_of(self, observation: Observation) -> Objective:
        """The objective, with the deadline that the plant has now."""
        if observation.deadline_ms in (None, self._objective.deadline_ms):
            return self._objective
        return replace(self._objective, deadline_ms=observation.deadline_ms)

    def _decide(self, review_context: ReviewContext, diagnosis: Diagnosis) -> Proposal:
        self._unavailable = self._guard.unavailable(review_context)
        context = Context(
            time_s=review_context.time_s,
            objective=review_context.objective,
            observation=review_context.observation,
            forecast=review_context.forecast,
            diagnosis=diagnosis,
            knobs=review_context.knobs,
            settings=review_context.settings,
            states=self._actuation.states,
            unavailable=self._unavailable,
            verified=self._unseen,
            latency=self._latency,
            delays_s=review_context.delays_s,
        )
        proposal, state, alarm = untrusted.decide(self._policy, context, self._policy_state)
        self._policy_state, self._unseen = state, ()
        self._alarm(alarm)
        return proposal

    def _admit(
        self, proposal: Proposal, review_context: ReviewContext
    ) -> tuple[tuple[Change, ...], tuple[Hold, ...]]:
        wanted = {action.knob: action.value for action in reversed(proposal.actions)}
        self._actuation.note_planned(wanted)
        changes, holds = self._guard.review(proposal, review_context)
        for hold in holds:
            if hold.alarm:
                held_s = review_context.time_s - hold.since_s
                self._alarm(f"{hold.knob} has been held for {held_s:.0f} s: {hold.reason}")
        return changes, holds

    def _record(self, tick: Tick, started_s: float) -> Tick:
        self._unseen = tick.verifications
        self._changes.verified, self._changes.refusals, self._alarms = [], [], []
        due = tick.time_s >= self._learned_due_s
        if due:
            self._learned_due_s = tick.time_s + LEARNED_EVERY_S
        self._recorder.record(tick, self._essentials, self._learned if due else None)
        tick.duration_ms = self._since_ms(started_s)
        self._diagnostician.track_latency("tick", tick.duration_ms)
        for instrument in self._instruments:
            instrument(tick)
        return tick

    def _obey(self, time_s: float) -> None:
        for number, command in self._commands.take():
            outcome = self._handler.handle(command, time_s)
            self._changes.verified += outcome.verifications
            self._changes.refusals += outcome.refusals
            self._commands.answer(number, outcome.answer)

    def _alarm(self, text: str | None) -> None:
        if text is not None:
            self._alarms.append(text)

    def _since_ms(self, started_s: float) -> float:
        return 1000.0 * (self._clock.now_s() - started_s)


def _part(saved: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    part = saved[name]
    if not isinstance(part, dict):
        raise ValueError(f"the {name} of a saved state is an object, not {type(part).__name__}")
    return part

"""A clock that moves when told, a plant made of numbers, and helpers with literal values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from controller.clock import Clock
from controller.config.config import GuardSection
from controller.forecasting.last_value import LastValue
from controller.forecasting.supervised import Supervised
from controller.guard.guard import Guard
from controller.loop import Loop
from controller.verification import Verifier
from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import (
    AnyThreadClasses,
    Bounds,
    Choice,
    Knob,
    KnobValue,
    SchedulingClass,
    Settings,
    ThreadClasses,
)
from policies.objective import Objective
from policies.observation import (
    NO_QUANTILES,
    BlockCounts,
    Missing,
    Observation,
    Quantiles,
    Reading,
    StageTimes,
    Value,
)
from policies.proposal import Action, Effect, Expectation, Proposal, Refusal

OBJECTIVE = Objective(deadline_ms=5.0, target_miss_rate=0.001)


class FakeClock:
    """Starts at 1000 s; sleeping moves it."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.time_s = now_s

    def now_s(self) -> float:
        return self.time_s

    def sleep_until(self, time_s: float) -> None:
        self.time_s = max(self.time_s, time_s)


KNOBS = {
    "thread_classes": Knob("thread_classes", AnyThreadClasses(), "cpu", settle_s=2.0),
    "batch_size": Knob("batch_size", Choice((8, 16, 32, 64)), "cpu", settle_s=2.0),
    "nodes": Knob("nodes", Bounds(1, 4), "placement", settle_s=2.0),
}
AUDIO_ALONE = Knob(
    "thread_classes", AnyThreadClasses(classes=frozenset({"audio"})), "cpu", settle_s=2.0
)
"""Of a plant without other threads that could yield."""


class FakePlant:
    """Three knobs that act at once (or after `arrives_after_s`), and figures the test sets.

    `miss_share` gives the missed share of 10,000 blocks per interval from the settings in
    force and the load. `tells` is what an observation says beside them.
    """

    name = "fake"

    def __init__(self, clock: Clock, interval_s: float = 1.0) -> None:
        self.clock = clock
        self.interval_s = interval_s
        self.found: dict[str, KnobValue] = {
            "thread_classes": ThreadClasses(),
            "batch_size": 64,
            "nodes": 1,
        }
        self.values = dict(self.found)
        self.under_way: list[tuple[float, str, KnobValue]] = []
        self.arrives_after_s = 0.0
        self.knobs_here: dict[str, Knob] = dict(KNOBS)
        self.refuses: dict[str, str] = {}
        self.silent_about: set[str] = set()
        self.load: Reading = Value(10.0)
        self.latency_p99_ms: Reading = Value(2.0)
        self.has_blocks = True
        self.miss_share: Callable[[Mapping[str, KnobValue], float], float] = lambda *_: 0.0
        self.applied: list[tuple[str, KnobValue]] = []
        self.restored: list[str] = []
        self.ends_at_s = float("inf")
        self.tells: dict[str, object] = {}
        self.during_observe: Callable[[], None] = lambda: None

    def knobs(self) -> Mapping[str, Knob]:
        return self.knobs_here

    def observe(self) -> Observation:
        self.during_observe()
        now_s = self.clock.now_s()
        for each in [each for each in self.under_way if each[0] <= now_s]:
            self.under_way.remove(each)
            self.values[each[1]] = each[2]
        load = self.load.value if isinstance(self.load, Value) else 0.0
        missed = round(10_000 * self.miss_share(self.values, load))
        latency = NO_QUANTILES.__class__(*(self.latency_p99_ms,) * 4)
        blocks = BlockCounts(on_time=10_000 - missed, late=missed) if self.has_blocks else None
        seen = Observation(now_s, self.interval_s, self.load, blocks=blocks, latency=latency)
        return replace(seen, **self.tells)  # type: ignore[arg-type]

    def in_force(self) -> Settings:
        return Settings.of(
            {knob: value for knob, value in self.values.items() if knob not in self.silent_about}
        )

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        if knob in self.refuses:
            return Refusal(knob, self.refuses[knob])
        self.applied.append((knob, value))
        if self.arrives_after_s:
            self.under_way.append((self.clock.now_s() + self.arrives_after_s, knob, value))
        else:
            self.values[knob] = value
        return None

    def restore(self, knob: str) -> Refusal | None:
        self.restored.append(knob)
        self.values[knob] = self.found[knob]
        return None

    def finished(self) -> bool:
        return self.clock.now_s() >= self.ends_at_s

    def close(self) -> None:
        self.values = dict(self.found)


class SmallMachine(FakePlant):
    """Two processors, hogs, and audio threads whose delays follow from both.

    A stream takes `stream_ms` of work per 5 ms block and a kernel call `call_ms`. Beyond 85 %
    of a processor blocks are missed and queue; under `hogs` that run before audio, they are
    held up, as far as `contention` (0 to 1 per second, taken in turn) says.
    """

    def __init__(self, clock: Clock, *, stream_ms: float = 0.01, call_ms: float = 0.05) -> None:
        super().__init__(clock)
        self.stream_ms, self.call_ms = stream_ms, call_ms
        self.load = Value(20.0)
        self.hogs = 0
        self.hogs_are_ours = True
        self.contention: list[float] = [1.0]
        self.stolen = 0.0
        self.knobs_here["thread_classes"] = Knob(
            "thread_classes", AnyThreadClasses(cpus=frozenset({0, 1})), "cpu", settle_s=2.0
        )

    def protection(self) -> float:
        """How much of the contention does not reach audio."""
        classes = self.values["thread_classes"]
        assert isinstance(classes, ThreadClasses)
        if classes.audio.scheduling is SchedulingClass.REALTIME:
            return 1.0
        if self.hogs_are_ours and classes.background.scheduling is SchedulingClass.IDLE:
            return 0.95
        return 0.5 if classes.audio.nice < 0 else 0.0

    def work_ms(self) -> float:
        """Processor time of one worker for a block."""
        assert isinstance(self.load, Value)
        streams = self.load.value / self.values["nodes"]
        calls = -(-streams // self.values["batch_size"])
        return calls * self.call_ms + streams * self.stream_ms

    def observe(self) -> Observation:
        seen = super().observe()
        level = self.contention.pop(0) if len(self.contention) > 1 else self.contention[0]
        waits = min(1.0, level * self.hogs / 4) * (1.0 - self.protection())
        busy = min(1.0, self.work_ms() / 5.0)
        overload = max(0.0, 1.0 - 0.85 * 5.0 / max(self.work_ms(), 0.01))
        lateness_ms = max(0.1, 20.0 * waits, 10.0 * overload, 15.0 * (self.stolen > 0.0))
        missed = round(10_000 * min(1.0, 0.5 * waits + overload + self.stolen))
        return replace(
            seen,
            blocks=BlockCounts(on_time=10_000 - missed, late=missed),
            stages={
                "wait": StageTimes(quantiles(lateness_ms), quantiles(0.0)),
                "compute": StageTimes(quantiles(0.0), quantiles(self.work_ms())),
            },
            readings={
                "audio.utilisation": Value(busy),
                "audio.run_delay_share": Value(0.0005 + waits),
                "audio.queue_share": Value(min(1.0, overload + 0.4 * waits)),
                "audio.cpu_ms_per_block": Value(self.work_ms()),
                "cpu.steal_share": Value(self.stolen),
                "cpu.pressure_some_share": Value(min(1.0, self.hogs / 4)),
            },
        )


def quantiles(each_ms: float) -> Quantiles:
    """A distribution of one value."""
    return Quantiles(*(Value(each_ms),) * 4)


class FakeCommands:
    """Commands the test puts in, answers it reads."""

    def __init__(self) -> None:
        self.waiting: list = []
        self.answers: dict[int, str] = {}

    def take(self):
        taken, self.waiting = self.waiting, []
        return taken

    def answer(self, command: int, text: str) -> None:
        self.answers[command] = text


class ListRecorder:
    """Keeps ticks and saved states in lists."""

    def __init__(self) -> None:
        self.ticks: list = []
        self.saved_states: list = []

    def record(self, tick, saved, learned=None) -> None:
        self.ticks.append(tick)
        last = self.saved_states[-1]["forecaster"] if self.saved_states else {}
        self.saved_states.append(saved() | {"forecaster": last if learned is None else learned()})


class FakeDiagnostician:
    """Finds nothing; notes what is tracked."""

    def __init__(self) -> None:
        self.tracked: list[tuple[str, float]] = []

    def diagnose(self, observation, forecast, settings, knobs) -> Diagnosis:
        return Diagnosis(Bottleneck.NONE, "nothing holds the blocks up")

    def track_latency(self, component: str, value_ms: float) -> None:
        self.tracked.append((component, value_ms))


class Scripted:
    """A policy that proposes what the test put in `wants`; its state counts its decisions."""

    name = "scripted"

    def __init__(self, *wants: Action) -> None:
        self.wants: tuple[Action, ...] = wants
        self.contexts: list = []

    def decide(self, context, state):
        self.contexts.append(context)
        return Proposal(self.wants, "scripted"), (state or 0) + 1


class Rig:
    """A loop with everything around it within reach."""

    def __init__(self, policy, *, limits: GuardSection | None = None, **options) -> None:
        limits = limits or GuardSection()
        self.clock = options.pop("clock", None) or FakeClock()
        self.plant = options.pop("plant", None) or FakePlant(self.clock)
        self.policy = policy
        self.guard = Guard(limits, frozenset() if options.pop("shadow", False) else None)
        self.recorder = ListRecorder()
        self.commands = FakeCommands()
        self.diagnostician = options.pop("diagnostician", None) or FakeDiagnostician()
        self.loop = Loop(
            self.plant,
            policy,
            OBJECTIVE,
            Supervised(options.pop("forecaster", None) or LastValue()),
            self.diagnostician,
            self.guard,
            Verifier(limits, OBJECTIVE),
            self.recorder,
            self.commands,
            self.clock,
            1.0,
            **options,
        )

    def tick(self):
        """One second later, one tick."""
        self.clock.time_s += 1.0
        return self.loop.tick()

    def ticks(self, count: int) -> list:
        return [self.tick() for _ in range(count)]


def action(
    knob: str, value: KnobValue, changed: float = 0.0, unchanged: float = 0.05, **effect
) -> Action:
    """An action that promises one miss rate at any load."""
    quantity = effect.get("quantity", "miss_rate")
    curve = effect.get("curve", (Expectation(10.0, changed, unchanged),))
    return Action(knob, value, "because", Effect(quantity, effect.get("unit", ""), curve))


UNKNOWN = Missing("not reported")


def resumed(rig: Rig, policy=None, **options) -> Rig:
    """A new loop on the same plant, from the last saved state as it came through JSON."""
    saved = json.loads(json.dumps(rig.recorder.saved_states[-1], allow_nan=False))
    again = Rig(policy or rig.policy, plant=rig.plant, clock=rig.clock, **options)
    again.loop.resume(saved)
    return again


class Broken:
    """A policy that answers whatever it is told to, or raises it."""

    name = "broken"

    def __init__(self, answer):
        self.answer = answer

    def decide(self, context, state):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

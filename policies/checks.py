"""The contract that every policy keeps to, as checks to run on one of your own.

    from policies.checks import CHECKS, check

    @pytest.mark.parametrize("name", CHECKS)
    def test_mine(name):
        check(name, Mine)

Each check plays the policy against a small pipeline of nodes that share a load: knobs turn at
once, busier nodes are slower, and an overloaded one misses what does not fit.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from policies.diagnosis import Bottleneck, Diagnosis
from policies.forecast import Forecast
from policies.knobs import AnyThreadClasses, Bounds, Choice, Knob, KnobState, Settings
from policies.knobs import ThreadClasses as Classes
from policies.objective import Objective
from policies.observation import (
    BlockCounts,
    Invalid,
    Missing,
    Observation,
    Quantiles,
    Reading,
    Stale,
    Value,
)
from policies.policy import Context, Policy, State
from policies.proposal import Proposal

MakePolicy = Callable[[], Policy]
Observe = Callable[[Observation], Observation]
INTERVAL_S = 15.0
PERIOD_MS = 5.333
STREAMS_PER_NODE = 100.0
LONG = 240
"""Decisions after which a policy has settled: an hour of them."""
BUDGET_MS = 50.0
"""Milliseconds that a decision may take, as the median of many."""
KNOBS: Mapping[str, Knob] = MappingProxyType(
    {
        "nodes": Knob("nodes", Bounds(1, 64, step=64), "nodes"),
        "batch_size": Knob("batch_size", Choice((8, 16, 32, 64)), "gpu"),
        "vram_block_bytes": Knob(
            "vram_block_bytes", Choice(tuple(1 << k for k in range(14, 20))), "memory"
        ),
        "thread_classes": Knob("thread_classes", AnyThreadClasses(cpus=frozenset(range(4))), "cpu"),
    }
)
DISTORTIONS: Mapping[str, Callable[[float], Reading]] = MappingProxyType(
    {
        "missing": lambda _: Missing("lost on its way"),
        "NaN": lambda _: Invalid("nan is not a finite number"),
        "stale": lambda value: Stale(value, 600.0),
    }
)


def _as_it_is(seen: Observation) -> Observation:
    return seen


class PolicyFault(AssertionError):  # noqa: N818 - what a policy does wrong
    """A policy does not keep to what is asked of every policy."""


@dataclass
class Pipeline:
    """A pipeline of nodes that share a load; `settings` turns at once to what is proposed."""

    policy: Policy
    load: float = 500.0
    settings: Settings = field(
        default_factory=lambda: Settings.of(
            {
                "nodes": 8,
                "batch_size": 16,
                "vram_block_bytes": 1 << 17,
                "thread_classes": Classes(),
            }
        )
    )
    state: State = None
    now_s: float = 0.0

    def step(self, observe: Observe = _as_it_is) -> Proposal:
        """The decision on what `observe` makes of what there is to see; its proposal acts."""
        self.now_s += INTERVAL_S
        proposal, self.state = self.policy.decide(self.context(observe), self.state)
        for action in proposal.actions:
            _check_action(action.knob, action.value)
            self.settings = self.settings.turned(action.knob, action.value)
        return proposal

    def play(self, steps: int) -> Iterator[Proposal]:
        """The proposals of so many decisions."""
        return (self.step() for _ in range(steps))

    def context(self, observe: Observe = _as_it_is) -> Context:
        """All that the policy may know now."""
        observation, nodes = observe(self.observation()), self.settings.nodes
        overloaded = self.utilisation > 1.0
        diagnosis = Diagnosis(Bottleneck.NONE, "every block is on time")
        if overloaded:
            helpful = ("batch_size", "nodes")
            diagnosis = Diagnosis(Bottleneck.OVERLOAD, "too much work", helpful_knobs=helpful)
        return Context(
            time_s=self.now_s,
            objective=Objective(PERIOD_MS),
            observation=observation,
            forecast=Forecast(np.full((20, 16), self.load), INTERVAL_S, self.now_s, "flat"),
            diagnosis=diagnosis,
            knobs=KNOBS,
            settings=self.settings,
            states={"nodes": KnobState(nodes, nodes, nodes, self.now_s)},
            unavailable={},
        )

    @property
    def utilisation(self) -> float:
        """Utilisation of every node; above 1 there is more work than time."""
        return self.load / (self.settings.nodes * STREAMS_PER_NODE)

    def observation(self) -> Observation:
        """An interval of the pipeline."""
        blocks = round(self.load * 1000.0 * INTERVAL_S / PERIOD_MS)
        missed = round(blocks * max(0.0, 1.0 - 1.0 / max(self.utilisation, 1e-9)))
        latency_ms = PERIOD_MS * (0.2 + 0.7 * self.utilisation)
        busy = min(1.0, self.utilisation)
        readings = {
            "nodes.ready": float(self.settings.nodes),
            "nodes.starting": 0.0,
            "nodes.utilisation": busy,
            "audio.utilisation": busy,
            "gpu.allocation_wait_us": 0.0,
        }
        return Observation(
            time_s=self.now_s,
            interval_s=INTERVAL_S,
            load=Value(self.load),
            blocks=BlockCounts(blocks - missed, missed),
            latency=Quantiles(*(Value(latency_ms * k) for k in (0.7, 0.9, 1.0, 1.1))),
            readings=MappingProxyType({name: Value(each) for name, each in readings.items()}),
        )


def check(name: str, make: MakePolicy) -> None:
    """Run one check on policies that `make` makes. Raises PolicyFault, which says what is wrong."""
    CHECKS[name](make)


def check_all(make: MakePolicy) -> None:
    """Run all checks."""
    for name in CHECKS:
        check(name, make)


def is_deterministic(make: MakePolicy) -> None:
    """Equal context and state give equal decisions, in a policy and in another of its kind."""
    pipeline, twin = Pipeline(make()), make()
    for step in range(LONG):
        pipeline.load = _wave(step)
        context, state = pipeline.context(), _copied(pipeline.state)
        told = [policy.decide(context, _copied(state)) for policy in (pipeline.policy, twin)]
        again = pipeline.policy.decide(context, _copied(state))
        if not told[0] == told[1] == again:
            raise PolicyFault(f"decision {step} differs between two calls with the same input")
        pipeline.step()


def is_total(make: MakePolicy) -> None:
    """Whatever is missing, stale or NaN, it decides, and does not shrink what it cannot see."""
    for kind, distort in DISTORTIONS.items():
        pipeline = Pipeline(make())
        for _ in pipeline.play(LONG // 4):
            pass
        before = pipeline.settings.nodes
        for _ in range(LONG):
            try:
                pipeline.step(partial(_distorted, distort=distort))
            except Exception as error:
                raise PolicyFault(f"with all readings {kind}: {error!r}") from error
        if pipeline.settings.nodes < before:
            raise PolicyFault(f"with all readings {kind} it lets nodes go")
    empty = Pipeline(make())
    bare = replace(empty.context(), observation=Observation(0.0, INTERVAL_S), forecast=None)
    for knobs in (KNOBS, {}):
        settings = empty.settings if knobs else Settings()
        context = replace(bare, knobs=knobs, settings=settings, states={})
        try:
            empty.policy.decide(context, None)
        except Exception as error:
            have = "with knobs" if knobs else "without any knob"
            raise PolicyFault(f"{have} and nothing to see: {error!r}") from error


def is_bounded(make: MakePolicy) -> None:
    """Every value asked for is one that the knob can have, at no load and at far too much."""
    pipeline = Pipeline(make())
    for load in (0.0, 1.0, 1e3, 1e6, 0.0, 6400.0):
        pipeline.load = load
        for _ in pipeline.play(LONG // 4):
            pass


def is_idempotent(make: MakePolicy) -> None:
    """Under a load that stays, it comes to rest."""
    pipeline = Pipeline(make())
    for _ in pipeline.play(8 * LONG):
        pass
    turned = [action.knob for each in pipeline.play(LONG) for action in each.actions]
    if turned:
        raise PolicyFault(f"nothing changes, and still it turns {', '.join(sorted(set(turned)))}")


def is_resumable(make: MakePolicy) -> None:
    """State survives JSON: a policy made anew at every step decides as one that lives on."""
    living, revived = Pipeline(make()), Pipeline(make())
    for step in range(LONG):
        living.load = revived.load = _wave(step)
        revived.policy, revived.state = make(), _copied(revived.state)
        if living.step() != revived.step():
            raise PolicyFault(f"decision {step} differs once the policy was stopped and resumed")


def is_monotone(make: MakePolicy) -> None:
    """More load never ends in fewer nodes."""
    before = 0
    for load in (50.0, 200.0, 600.0, 1500.0, 4000.0):
        pipeline = Pipeline(make(), load)
        for _ in pipeline.play(4 * LONG):
            pass
        nodes = pipeline.settings.nodes
        if nodes < before:
            raise PolicyFault(f"{load:g} streams get {nodes} nodes, fewer had {before}")
        before = nodes


def is_swift(make: MakePolicy) -> None:
    """A decision takes no longer than its budget, as the median of many."""
    pipeline, took_ms = Pipeline(make()), []
    for step in range(LONG):
        pipeline.load = _wave(step)
        context, started_s = pipeline.context(), time.perf_counter()
        pipeline.policy.decide(context, _copied(pipeline.state))
        took_ms.append(1000.0 * (time.perf_counter() - started_s))
        pipeline.step()
    median_ms = sorted(took_ms)[LONG // 2]
    if median_ms > BUDGET_MS:
        raise PolicyFault(f"a decision takes {median_ms:.1f} ms, the budget is {BUDGET_MS:g} ms")


CHECKS: Mapping[str, Callable[[MakePolicy], None]] = MappingProxyType(
    {
        "deterministic": is_deterministic,
        "total": is_total,
        "bounded": is_bounded,
        "idempotent": is_idempotent,
        "resumable": is_resumable,
        "monotone": is_monotone,
        "swift": is_swift,
    }
)


def _check_action(knob: str, value: object) -> None:
    if knob not in KNOBS:
        raise PolicyFault(f"it turns {knob!r}, which this pipeline has not")
    if not isinstance(value, int | float | str | Classes) or not KNOBS[knob].domain.allows(value):
        raise PolicyFault(f"it asks for {knob} {value!r}; possible: {KNOBS[knob].domain}")


def _wave(step: int) -> float:
    """A load that rises and falls, with spikes; no randomness, so that a failure comes again."""
    return 600.0 + 400.0 * math.sin(step / 20.0) + (900.0 if step % 67 == 0 else 0.0)


def _copied(state: State) -> State:
    """A state as it comes back from the journal."""
    copied: State = json.loads(json.dumps(state, allow_nan=False))
    return copied


def _distorted(seen: Observation, distort: Callable[[float], Reading]) -> Observation:
    """The observation with every reading in trouble, and no blocks."""

    def each(reading: Reading) -> Reading:
        return distort(reading.value) if isinstance(reading, Value) else reading

    latency = seen.latency
    return replace(
        seen,
        load=each(seen.load),
        blocks=None,
        latency=Quantiles(
            *map(each, (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms))
        ),
        readings={name: each(reading) for name, reading in seen.readings.items()},
    )

"""Contexts that the conductor may see, and a small machine that it controls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fakes import KNOBS, OBJECTIVE, FakeClock, Rig, SmallMachine

from controller.config.config import ThresholdsSection
from controller.diagnosis.diagnostician import Diagnostician
from policies.conductor.conductor import Conductor
from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import (
    Bounds,
    Settings,
    ThreadClasses,
)
from policies.observation import BlockCounts, Observation, Value
from policies.policy import Context
from policies.proposal import Expectation, Verdict, Verification


class Machine(Rig):
    """The conductor and the diagnosis on a small machine."""

    def __init__(self, **figures) -> None:
        clock = FakeClock()
        super().__init__(
            Conductor(),
            clock=clock,
            plant=SmallMachine(clock, **figures),
            diagnostician=Diagnostician(ThresholdsSection(), OBJECTIVE),
        )

    def permit(self, **domain) -> None:
        knob = self.plant.knobs_here["thread_classes"]
        self.plant.knobs_here["thread_classes"] = replace(
            knob, domain=replace(knob.domain, **domain)
        )

    def turns(self, count: int) -> list[str]:
        """Each turn of a knob in so many seconds, as `knob value`, thread classes by step."""
        turns = []
        for tick in self.ticks(count):
            turns += [_named(change) for change in tick.changes]
        return turns

    def verdicts(self) -> list[Verdict]:
        return [each.verdict for tick in self.recorder.ticks for each in tick.verifications]


def _named(change) -> str:
    value = change.action.value
    if not isinstance(value, ThreadClasses):
        return f"{change.action.knob} {value}"
    pairs = zip(change.previous.items(), value.items(), strict=True)
    return ", ".join(f"{name} {new}" for (name, old), (_, new) in pairs if old != new)


def context(bottleneck=Bottleneck.PREEMPTION, *, time_s=1000.0, nodes=1, batch_size=64, **figures):
    """A context of the conductor: 20 streams, 5 % missed wherever something is wrong."""
    helpful = {
        Bottleneck.PREEMPTION: ("thread_classes",),
        Bottleneck.QUEUEING: ("batch_size", "nodes"),
        Bottleneck.OVERLOAD: ("nodes", "batch_size"),
    }.get(bottleneck, ())
    missed = 0 if bottleneck is Bottleneck.NONE else 500
    return Context(
        time_s=time_s,
        objective=OBJECTIVE,
        observation=Observation(
            time_s,
            1.0,
            Value(20.0),
            blocks=BlockCounts(10_000 - missed, missed),
            readings={"audio.utilisation": Value(figures.get("busy", 0.05))},
        ),
        forecast=figures.get("forecast"),
        diagnosis=Diagnosis(bottleneck, "because", helpful_knobs=helpful),
        knobs=KNOBS,
        settings=Settings.of(
            {"thread_classes": ThreadClasses(), "nodes": nodes, "batch_size": batch_size}
        ),
        states={},
        unavailable={},
    )


def narrowed(seen, most):
    """The same, with so many nodes at most."""
    nodes = replace(KNOBS["nodes"], domain=Bounds(1, most))
    return replace(seen, knobs={**seen.knobs, "nodes": nodes})


def decide(seen, state):
    return Conductor().decide(seen, state)


def judged(verdict):
    expected = Expectation(20.0, 0.0, 0.2)
    return Verification("c1", "thread_classes", verdict, "miss_rate", expected, 0.1, "")


class Modelled:
    """A node misses half of its blocks from its twentieth stream on, with batches of 64."""

    def miss_rates(self, settings):
        known = settings["batch_size"] == 64
        return np.concatenate([np.zeros(20), np.full(20, 0.5)]) if known else None

    def utilisation(self, streams, settings):
        return min(1.0, streams / 40)


def modelled(**figures):
    seen = context(Bottleneck.OVERLOAD, **figures)
    return replace(seen, latency=Modelled())

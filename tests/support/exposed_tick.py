"""A tick of which every figure is known."""

from __future__ import annotations

from controller.tick import Tick
from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import KnobState, Settings
from policies.objective import Objective
from policies.observation import (
    Missing,
    Observation,
    Quantiles,
    Value,
)
from policies.proposal import (
    Action,
    Change,
    Effect,
    Expectation,
    Proposal,
    Verdict,
    Verification,
)

TIMES = Quantiles(Value(1.0), Value(2.0), Missing("too few"), Value(4.0))


NODES = Change("7-nodes", Action("nodes", 2, "", Effect("miss_rate", "", ())), 1, 0.0, 2.0)


UNDONE = Verification(
    "7-nodes", "nodes", Verdict.ROLLED_BACK, "miss_rate", Expectation(9.0, 0.0, 0.1), 0.2, ""
)


TICK = Tick(
    number=1,
    time_s=1000.0,
    shadow=False,
    observation=Observation(1000.0, 1.0),
    forecast=None,
    diagnosis=Diagnosis(Bottleneck.QUEUEING, "blocks wait"),
    proposal=Proposal(),
    changes=(),
    holds=(),
    verifications=(),
    refusals=(),
    alarms=(),
    settings=Settings(),
    states={"nodes": KnobState()},
    duration_ms=4.0,
    overruns=0,
)


OBJECTIVE = Objective(deadline_ms=5.0, target_miss_rate=0.002)

"""A tick of which every figure is known."""

from __future__ import annotations

from dataclasses import replace

from ticks import SILENT

from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import KnobState
from policies.objective import Objective
from policies.observation import (
    Missing,
    Quantiles,
    Value,
)
from policies.proposal import (
    Action,
    Change,
    Effect,
    Expectation,
    Verdict,
    Verification,
)

TIMES = Quantiles(Value(1.0), Value(2.0), Missing("too few"), Value(4.0))


NODES = Change("7-nodes", Action("nodes", 2, "", Effect("miss_rate", "", ())), 1, 0.0, 2.0)


UNDONE = Verification(
    "7-nodes", "nodes", Verdict.ROLLED_BACK, "miss_rate", Expectation(9.0, 0.0, 0.1), 0.2, ""
)


TICK = replace(
    SILENT,
    number=1,
    diagnosis=Diagnosis(Bottleneck.QUEUEING, "blocks wait"),
    states={"nodes": KnobState()},
    duration_ms=4.0,
)


OBJECTIVE = Objective(deadline_ms=5.0, target_miss_rate=0.002)

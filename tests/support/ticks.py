"""Ticks with literal values."""

from __future__ import annotations

from controller.tick import Tick
from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import SchedulingClass, Settings, ThreadClass, ThreadClasses
from policies.observation import (
    Observation,
)
from policies.proposal import (
    Action,
    Change,
    Effect,
    Expectation,
    Proposal,
)

RAISED = ThreadClasses(audio=ThreadClass(SchedulingClass.REALTIME, 60, share=0.6))


CURVE = (Expectation(0.0, 0.0, 0.0), Expectation(10.0, 0.1, 0.3))


NODES = Change("7-nodes", Action("nodes", 2, "they queue", Effect("miss_rate", "", CURVE)), 1, 0, 2)


SILENT = Tick(
    number=7,
    time_s=1000.0,
    shadow=False,
    observation=Observation(1000.0, 1.0),
    forecast=None,
    diagnosis=Diagnosis(Bottleneck.NONE, ""),
    proposal=Proposal(),
    changes=(),
    holds=(),
    verifications=(),
    refusals=(),
    alarms=(),
    settings=Settings(),
    states={},
    duration_ms=1.5,
    overruns=0,
)

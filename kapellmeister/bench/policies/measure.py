"""The whole of `bench policies`."""

from __future__ import annotations

from collections.abc import Callable

from kapellmeister.bench.policies.decision_time import decision_time
from kapellmeister.bench.policies.faults import faults
from kapellmeister.bench.policies.figures import PolicyReport
from kapellmeister.bench.policies.responses import BURST_FACTORS, burst, step
from kapellmeister.machine.description import describe_machine
from policies.latency import Calibration, Link, Post, Transfer
from simulators.control_loop import make_policy
from simulators.loads.generators import generate
from simulators.simulation import Simulation, check_names

FULL = Calibration(transfer=Transfer(), post=Post(), link=Link())
"""A pipeline of all stages, and with them all the knobs."""


def bench_policies(
    policy: str, forecaster: str, hours: float, progress: Callable[[float], None]
) -> PolicyReport:
    """Measure everything, `hours` of it with faults.

    Raises PlugInError for an unknown policy or forecaster, PolicyFailure where the policy fails.
    """
    base = Simulation(policy, generate("steps", 1.0), forecaster=forecaster, calibration=FULL)
    check_names(base)
    make_policy(policy, {})
    decision = decision_time(base)
    progress(0.1)
    stepped = step(base)
    progress(0.2)
    bursts = []
    for number, factor in enumerate(BURST_FACTORS, start=1):
        bursts.append(burst(base, factor))
        progress(0.2 + 0.5 * number / len(BURST_FACTORS))
    return PolicyReport(
        machine=describe_machine(),
        policy=policy,
        forecaster=forecaster,
        target_miss_rate=base.target_miss_rate,
        decision=decision,
        step=stepped,
        bursts=tuple(bursts),
        faults=faults(base, hours, lambda part: progress(0.7 + 0.3 * part)),
    )

"""A surge of streams under the conductor, whole: what is missed when memory and worker go."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from controller.errors import PlantError
from controller.workloads.cuda.layout import SPECTROGRAM_STATE_BYTES
from kapellmeister.bench.hardware.attack import Attack, attacked
from kapellmeister.bench.hardware.experiment import Experiment, Found
from kapellmeister.bench.hardware.figures import Measured, Planned
from kapellmeister.bench.hardware.rig import Rig, Scale
from kapellmeister.bench.own_process import run_apart

DURATION_S = 12.0
LEAST_S = DURATION_S + 6.0
"""Seconds that a run takes, with its start."""
TRACE = "time_s,streams\n0,{few}\n3,{few}\n5,{many}\n9,{many}\n10,{few}\n12,{few}\n"
KILL_AFTER_S, HOLD_S = 6.0, 3.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens while the surge plays."""

    name: str
    workload: str
    is_short: bool = False
    attack: Attack | None = None


SCENARIOS = (
    Scenario("nothing else happens", "hrtf"),
    Scenario("the worker is killed", "hrtf", attack=Attack(KILL_AFTER_S, 0.0)),
    Scenario(
        "another program takes all free memory, and the worker is killed",
        "hrtf",
        attack=Attack(KILL_AFTER_S, HOLD_S),
    ),
    Scenario("the arena has room for half of the streams", "spectrogram", is_short=True),
)


def surge(scenario: Scenario, scale: Scale) -> Experiment:
    """Blocks missed, of those of all streams: late, concealed and lost."""
    rows = (
        Planned(_name(scenario, scale, "missed"), "%"),
        Planned(_name(scenario, scale, "lost"), "blocks"),
    )
    take = partial(_surge, scenario)
    takes_memory = scenario.attack is not None and scenario.attack.hold_s > 0.0
    return Experiment("surge", rows, 5.0, take, least_s=LEAST_S, needs_cuda=takes_memory)


def _surge(scenario: Scenario, rig: Rig, seconds: float) -> Found:
    del seconds
    scale = rig.scale
    watching = nullcontext() if scenario.attack is None else attacked(scenario.attack)
    with tempfile.TemporaryDirectory() as folder, watching:
        trace, config = Path(folder) / "surge.csv", Path(folder) / "config.toml"
        trace.write_text(TRACE.format(few=scale.surge // 8, many=scale.surge), encoding="utf-8")
        config.write_text(_vram(scenario, scale), encoding="utf-8")
        report = run_apart(
            "builtin",
            *("--device", rig.kind, "--workload", scenario.workload, "--policy", "conductor"),
            *("--trace", str(trace), "--peak-streams", str(scale.surge)),
            *("--duration", str(DURATION_S), "--config", str(config)),
        )
    if report.blocks is None or report.miss_rate is None:
        raise PlantError("builtin", "it played nothing", "run `kapellmeister doctor`")
    yield Measured.once(_name(scenario, scale, "missed"), 100.0 * report.miss_rate)
    yield Measured.once(_name(scenario, scale, "lost"), float(report.blocks.lost))


def _vram(scenario: Scenario, scale: Scale) -> str:
    """The configuration: as it comes, or an arena that is too small."""
    if not scenario.is_short:
        return ""
    states = scale.surge * SPECTROGRAM_STATE_BYTES / 2
    workspace = scale.surge * (1 << 14) + (2 << 20)
    return f"[vram]\ntotal_mib = {int((states + workspace) / 2**20)}\n"


def _name(scenario: Scenario, scale: Scale, figure: str) -> str:
    return f"surge to {scale.surge} streams, {scenario.name}: {figure}"

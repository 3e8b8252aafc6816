"""All experiments, the most important first: a run that is cut short has measured those."""

from __future__ import annotations

from kapellmeister.bench.hardware.document import REDUCTION_WITH_VRAM_PERCENT
from kapellmeister.bench.hardware.experiment import Experiment
from kapellmeister.bench.hardware.experiments.accuracy import accuracy
from kapellmeister.bench.hardware.experiments.allocations import allocations
from kapellmeister.bench.hardware.experiments.ceilings import copies, launches
from kapellmeister.bench.hardware.experiments.defragmentation import defragmentation
from kapellmeister.bench.hardware.experiments.mixing import mixing
from kapellmeister.bench.hardware.experiments.owners import owners
from kapellmeister.bench.hardware.experiments.streams import by_streams, goal_rate
from kapellmeister.bench.hardware.experiments.surge import SCENARIOS, surge
from kapellmeister.bench.hardware.rig import Scale
from kapellmeister.bench.hardware.tables.cpu_against_gpu import TITLES as RACED
from kapellmeister.bench.hardware.tables.cpu_against_gpu import cpu_against_gpu
from kapellmeister.bench.hardware.tables.optimised import optimised
from kapellmeister.bench.hardware.tables.with_vram import with_vram
from kapellmeister.bench.hardware.workloads import TITLES


def experiments(scale: Scale) -> tuple[Experiment, ...]:
    """All of them at this scale, in their order."""
    return (
        accuracy(),
        goal_rate(scale),
        *(with_vram(title, scale) for title in REDUCTION_WITH_VRAM_PERCENT),
        *(cpu_against_gpu(title, scale) for title in RACED),
        allocations(),
        defragmentation(),
        launches(scale),
        mixing(),
        copies(scale),
        optimised(),
        owners(),
        *(surge(scenario, scale) for scenario in SCENARIOS),
        *(by_streams(title, scale) for title in TITLES),
    )

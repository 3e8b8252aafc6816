"""Hours with random faults and silences: turns that nothing could justify are counted."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

from controller.load.trace import LoadTrace
from kapellmeister.bench.policies.directions import Directions
from kapellmeister.bench.policies.figures import FaultFigures
from simulators.loads.generators import GENERATORS, generate
from simulators.plant.faults import random_schedule
from simulators.run import make_plant, run
from simulators.simulation import Simulation

FAULTY_STREAMS, FAULTS_A_DAY, FAULTY_TICK_S = 1000, 48.0, 60.0
SILENT_EVERY_S, SILENT_S = 43_200.0, 21_600.0
"""Seconds between silences, and in one: until a forecaster expects nobody either."""


def faults(base: Simulation, hours: float, progress: Callable[[float], None]) -> FaultFigures:
    """Play so many hours on all cores, one kind of load in each."""
    share = hours / len(GENERATORS)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        played = [
            pool.submit(_with_faults, base, name, share, seed)
            for seed, name in enumerate(GENERATORS, start=1)
        ]
        for done, _ in enumerate(as_completed(played), start=1):
            progress(done / len(played))
    parts = [each.result() for each in played]
    counted = {
        name: sum(getattr(part, name) for part in parts) for name in FaultFigures.model_fields
    }
    return FaultFigures(**counted)


def _with_faults(base: Simulation, name: str, hours: float, seed: int) -> FaultFigures:
    simulation = replace(
        base,
        trace=with_silences(generate(name, hours / 24.0, FAULTY_STREAMS)),
        seed=seed,
        interval_s=FAULTY_TICK_S,
        faults=random_schedule(seed, 3600.0 * hours, FAULTS_A_DAY),
    )
    load = simulation.load()
    counted = Directions(make_plant(simulation, load).knobs())
    run(simulation, load, instruments=(counted,))
    told = FaultFigures.model_fields.keys() - {"hours", "faults"}
    return FaultFigures(
        hours=hours,
        faults=len(simulation.faults.faults),
        **{name: getattr(counted, name) for name in told},
    )


def with_silences(trace: LoadTrace) -> LoadTrace:
    """A trace with nobody there in the second half of every twelve hours."""
    silent_from_s = SILENT_EVERY_S - SILENT_S
    streams = (
        0.0 if time_s % SILENT_EVERY_S >= silent_from_s else each
        for time_s, each in zip(trace.time_s, trace.streams, strict=True)
    )
    return replace(trace, streams=tuple(streams))

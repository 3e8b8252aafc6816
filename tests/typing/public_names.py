"""The public face as type checkers see it: what others write against it must check strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np

import kapellmeister
from kapellmeister import (
    Action,
    AttachedPlant,
    Backend,
    BackTestResult,
    CompareOptions,
    ComparisonReport,
    Config,
    Context,
    Effect,
    Executor,
    ExecutorSettings,
    Expectation,
    FitTask,
    FloatArray,
    Forecast,
    Forecaster,
    ForecastOptions,
    IntArray,
    Policy,
    Proposal,
    Reading,
    Refusal,
    RunOptions,
    RunReport,
    SimulateOptions,
    SimulationResult,
    State,
    Surroundings,
    Value,
    Workload,
    WorkloadSettings,
    fresh,
)


class OneMoreNode:
    """A policy."""

    name = "one-more-node"

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """One more, where nodes are known."""
        nodes, missed = context.settings.get("nodes"), fresh(context.observation.miss_rate)
        if not isinstance(nodes, int) or missed is None:
            return Proposal(reason="nothing is known"), state
        effect = Effect("miss_rate", "share", (Expectation(0.0, 0.0, missed),))
        return Proposal((Action("nodes", nodes + 1, "blocks wait", effect),)), state


class Constant:
    """A forecaster."""

    name = "constant"

    def __init__(self) -> None:
        self._load = 0.0

    def update(self, time_s: float, reading: Reading) -> None:
        """Take the last value."""
        if isinstance(reading, Value):
            self._load = reading.value

    def predict(self, horizon_s: float, step_s: float) -> Forecast | None:
        """Say it again."""
        steps = max(1, round(horizon_s / step_s))
        return Forecast(np.full((1, steps), self._load), step_s, 0.0, self.name)

    def fit_task(self) -> FitTask | None:
        """No slow part."""
        return None

    def fitted(self, result: Any) -> None:
        """Nothing to take."""

    def saved(self) -> State:
        """The load."""
        return {"load": self._load}

    def resume(self, saved: State) -> None:
        """Nothing to go on from."""


class Doubled:
    """A workload."""

    memory_blocks = 0

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None:
        self._frames = settings.period_frames

    def reset(self, slots: IntArray) -> None:
        """Nothing to forget."""

    def process(self, blocks: FloatArray, slots: IntArray) -> FloatArray:
        """The sum of all streams on both ears."""
        return np.tile(blocks.sum(axis=0, dtype=np.float32), (2, 1))


def attach(given: Surroundings, plant: AttachedPlant) -> Refusal | None:
    """A plant is asked as the loop asks it."""
    given.say(plant.name)
    return plant.apply("nodes", 2)


def render(settings: ExecutorSettings, executor: Executor) -> tuple[str, ...]:
    """An executor is asked as the pipeline asks it."""
    del settings
    return tuple(executor.knobs())


policy: Policy = OneMoreNode()
forecaster: Forecaster = Constant()
workload: type[Workload] = Doubled


def commands(config: Config) -> None:
    """Each command is a function of its name."""
    assert_type(kapellmeister.run(RunOptions(duration_s=1.0), config), RunReport)
    assert_type(kapellmeister.simulate(SimulateOptions(trace="diurnal")), SimulationResult)
    assert_type(kapellmeister.compare(CompareOptions(traces="diurnal")), ComparisonReport)
    assert_type(kapellmeister.forecast(ForecastOptions(traces="diurnal")), BackTestResult)
    assert_type(kapellmeister.pause("nodes"), str)
    assert_type(kapellmeister.resume(), str)
    assert_type(kapellmeister.restore(), str)
    kapellmeister.explain(Path("journal.sqlite3"))
    kapellmeister.doctor()

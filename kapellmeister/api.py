"""Kapellmeister as functions: each command by its name, and the words of plug-ins.

`run`, `simulate`, `compare`, `forecast`, `calibrate`, `doctor`, `explain`, `pause`, `resume` and
`restore` do what the command of that name does. They return its report; the last three an answer in
a line, `simulate` and `forecast` a result whose `report` that is, `calibrate` the calibration
beside it. With them stand the contracts of a policy, forecaster, workload, executor and plant, and
the words they speak. A name is loaded when it is first asked for. All of them raise a
KapellmeisterError for what the caller can mend.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from controller.clock import Clock as Clock
    from controller.clock import WallClock as WallClock
    from controller.config.config import Config as Config
    from controller.config.config import load_config as load_config
    from controller.errors import ExecutorError as ExecutorError
    from controller.errors import KapellmeisterError as KapellmeisterError
    from controller.errors import PlantError as PlantError
    from controller.errors import PlugInError as PlugInError
    from controller.executors.balancer import Balancer as Balancer
    from controller.executors.batch import BATCH as BATCH
    from controller.executors.batch import FinishedBatches as FinishedBatches
    from controller.executors.executor import Executor as Executor
    from controller.executors.executor import ExecutorSettings as ExecutorSettings
    from controller.executors.executor import InputBlocks as InputBlocks
    from controller.executors.executor import Placement as Placement
    from controller.executors.executor import Process as Process
    from controller.executors.executor import Task as Task
    from controller.executors.executor import refused as refused
    from controller.executors.processes import ProcessGroup as ProcessGroup
    from controller.executors.shards.ownership import Ownership as Ownership
    from controller.executors.shards.takeover import Takeover as Takeover
    from controller.executors.shards.takeover import Takeovers as Takeovers
    from controller.executors.stream_table import Assignment as Assignment
    from controller.executors.stream_table import StreamTable as StreamTable
    from controller.executors.timetable import Timetable as Timetable
    from controller.forecasting.catalogue import all_members as all_members
    from controller.forecasting.ensemble.ensemble import Ensemble as Ensemble
    from controller.forecasting.forecaster import FitTask as FitTask
    from controller.forecasting.forecaster import Forecaster as Forecaster
    from controller.forecasting.history import History as History
    from controller.forecasting.model import Model as Model
    from controller.forecasting.model import Points as Points
    from controller.forecasting.model import Unfitted as Unfitted
    from controller.plants.plant import AttachedPlant as AttachedPlant
    from controller.plants.plant import Plant as Plant
    from controller.plants.plant import Surroundings as Surroundings
    from controller.workloads.arrays import FloatArray as FloatArray
    from controller.workloads.arrays import IntArray as IntArray
    from controller.workloads.backend import Backend as Backend
    from controller.workloads.backends import cupy_backend as cupy_backend
    from controller.workloads.backends import numpy_backend as numpy_backend
    from controller.workloads.workload import Workload as Workload
    from controller.workloads.workload import WorkloadSettings as WorkloadSettings
    from controller.workloads.workload import blocks_spanning as blocks_spanning
    from kapellmeister.calibration.calibrate import Calibrated as Calibrated
    from kapellmeister.calibration.calibrate import CalibrateOptions as CalibrateOptions
    from kapellmeister.calibration.calibrate import calibrate as calibrate
    from kapellmeister.experiments.compare import compare as compare
    from kapellmeister.experiments.compare import find_traces as find_traces
    from kapellmeister.experiments.forecast import ForecastOptions as ForecastOptions
    from kapellmeister.experiments.forecast import forecast as forecast
    from kapellmeister.experiments.options import CompareOptions as CompareOptions
    from kapellmeister.experiments.options import SimulateOptions as SimulateOptions
    from kapellmeister.experiments.simulate import simulate as simulate
    from kapellmeister.explaining.explain import explain as explain
    from kapellmeister.explaining.explanation import Explanation as Explanation
    from kapellmeister.machine.doctor import DoctorReport as DoctorReport
    from kapellmeister.machine.doctor import doctor as doctor
    from kapellmeister.running.options import RunOptions as RunOptions
    from kapellmeister.running.report import RunReport as RunReport
    from kapellmeister.running.run import run as run
    from kapellmeister.running.steering import pause as pause
    from kapellmeister.running.steering import restore as restore
    from kapellmeister.running.steering import resume as resume
    from policies.constants import Range as Range
    from policies.constants import Switch as Switch
    from policies.diagnosis import Bottleneck as Bottleneck
    from policies.diagnosis import Diagnosis as Diagnosis
    from policies.forecast import Forecast as Forecast
    from policies.knobs import Bounds as Bounds
    from policies.knobs import Choice as Choice
    from policies.knobs import Knob as Knob
    from policies.knobs import KnobValue as KnobValue
    from policies.knobs import SchedulingClass as SchedulingClass
    from policies.knobs import Settings as Settings
    from policies.knobs import ThreadClass as ThreadClass
    from policies.knobs import ThreadClasses as ThreadClasses
    from policies.latency import LatencyModel as LatencyModel
    from policies.objective import Objective as Objective
    from policies.observation import BlockCounts as BlockCounts
    from policies.observation import Invalid as Invalid
    from policies.observation import Missing as Missing
    from policies.observation import Observation as Observation
    from policies.observation import Quantiles as Quantiles
    from policies.observation import Reading as Reading
    from policies.observation import StageTimes as StageTimes
    from policies.observation import Stale as Stale
    from policies.observation import Value as Value
    from policies.observation import fresh as fresh
    from policies.policy import Context as Context
    from policies.policy import Policy as Policy
    from policies.policy import State as State
    from policies.proposal import Action as Action
    from policies.proposal import Change as Change
    from policies.proposal import Effect as Effect
    from policies.proposal import Expectation as Expectation
    from policies.proposal import Proposal as Proposal
    from policies.proposal import Refusal as Refusal
    from policies.proposal import Verdict as Verdict
    from policies.proposal import Verification as Verification
    from simulators.backtest.backtest import BackTestResult as BackTestResult
    from simulators.comparison.figures import ComparisonReport as ComparisonReport
    from simulators.environments.sb3 import untrained as untrained
    from simulators.environments.task import TrainingTask as TrainingTask
    from simulators.simulate import SimulationResult as SimulationResult

HOMES = {
    "controller.clock": "Clock WallClock",
    "controller.config.config": "Config load_config",
    "controller.errors": "ExecutorError KapellmeisterError PlantError PlugInError",
    "controller.executors.balancer": "Balancer",
    "controller.executors.batch": "BATCH FinishedBatches",
    "controller.executors.executor": (
        "Executor ExecutorSettings InputBlocks Placement Process Task refused"
    ),
    "controller.executors.processes": "ProcessGroup",
    "controller.executors.shards.ownership": "Ownership",
    "controller.executors.shards.takeover": "Takeover Takeovers",
    "controller.executors.stream_table": "Assignment StreamTable",
    "controller.executors.timetable": "Timetable",
    "controller.forecasting.catalogue": "all_members",
    "controller.forecasting.ensemble.ensemble": "Ensemble",
    "controller.forecasting.forecaster": "FitTask Forecaster",
    "controller.forecasting.history": "History",
    "controller.forecasting.model": "Model Points Unfitted",
    "controller.plants.plant": "AttachedPlant Plant Surroundings",
    "controller.workloads.arrays": "FloatArray IntArray",
    "controller.workloads.backend": "Backend",
    "controller.workloads.backends": "cupy_backend numpy_backend",
    "controller.workloads.workload": "Workload WorkloadSettings blocks_spanning",
    "kapellmeister.calibration.calibrate": "CalibrateOptions Calibrated calibrate",
    "kapellmeister.experiments.compare": "compare find_traces",
    "kapellmeister.experiments.forecast": "ForecastOptions forecast",
    "kapellmeister.experiments.options": "CompareOptions SimulateOptions",
    "kapellmeister.experiments.simulate": "simulate",
    "kapellmeister.explaining.explain": "explain",
    "kapellmeister.explaining.explanation": "Explanation",
    "kapellmeister.machine.doctor": "DoctorReport doctor",
    "kapellmeister.running.options": "RunOptions",
    "kapellmeister.running.report": "RunReport",
    "kapellmeister.running.run": "run",
    "kapellmeister.running.steering": "pause restore resume",
    "policies.constants": "Range Switch",
    "policies.diagnosis": "Bottleneck Diagnosis",
    "policies.forecast": "Forecast",
    "policies.knobs": (
        "Bounds Choice Knob KnobValue SchedulingClass Settings ThreadClass ThreadClasses"
    ),
    "policies.latency": "LatencyModel",
    "policies.objective": "Objective",
    "policies.observation": (
        "BlockCounts Invalid Missing Observation Quantiles Reading StageTimes Stale Value fresh"
    ),
    "policies.policy": "Context Policy State",
    "policies.proposal": "Action Change Effect Expectation Proposal Refusal Verdict Verification",
    "simulators.backtest.backtest": "BackTestResult",
    "simulators.comparison.figures": "ComparisonReport",
    "simulators.environments.sb3": "untrained",
    "simulators.environments.task": "TrainingTask",
    "simulators.simulate": "SimulationResult",
}
"""Public names by the module that defines them."""
_HOME_OF = {name: home for home, names in HOMES.items() for name in names.split()}
__all__ = [
    "BATCH",
    "Action",
    "Assignment",
    "AttachedPlant",
    "BackTestResult",
    "Backend",
    "Balancer",
    "BlockCounts",
    "Bottleneck",
    "Bounds",
    "CalibrateOptions",
    "Calibrated",
    "Change",
    "Choice",
    "Clock",
    "CompareOptions",
    "ComparisonReport",
    "Config",
    "Context",
    "Diagnosis",
    "DoctorReport",
    "Effect",
    "Ensemble",
    "Executor",
    "ExecutorError",
    "ExecutorSettings",
    "Expectation",
    "Explanation",
    "FinishedBatches",
    "FitTask",
    "FloatArray",
    "Forecast",
    "ForecastOptions",
    "Forecaster",
    "History",
    "InputBlocks",
    "IntArray",
    "Invalid",
    "KapellmeisterError",
    "Knob",
    "KnobValue",
    "LatencyModel",
    "Missing",
    "Model",
    "Objective",
    "Observation",
    "Ownership",
    "Placement",
    "Plant",
    "PlantError",
    "PlugInError",
    "Points",
    "Policy",
    "Process",
    "ProcessGroup",
    "Proposal",
    "Quantiles",
    "Range",
    "Reading",
    "Refusal",
    "RunOptions",
    "RunReport",
    "SchedulingClass",
    "Settings",
    "SimulateOptions",
    "SimulationResult",
    "StageTimes",
    "Stale",
    "State",
    "StreamTable",
    "Surroundings",
    "Switch",
    "Takeover",
    "Takeovers",
    "Task",
    "ThreadClass",
    "ThreadClasses",
    "Timetable",
    "TrainingTask",
    "Unfitted",
    "Value",
    "Verdict",
    "Verification",
    "WallClock",
    "Workload",
    "WorkloadSettings",
    "all_members",
    "blocks_spanning",
    "calibrate",
    "compare",
    "cupy_backend",
    "doctor",
    "explain",
    "find_traces",
    "forecast",
    "fresh",
    "load_config",
    "numpy_backend",
    "pause",
    "refused",
    "restore",
    "resume",
    "run",
    "simulate",
    "untrained",
]

if not TYPE_CHECKING:  # or a checker would take any name for public

    def __getattr__(name: str) -> Any:
        """The public object of that name."""
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOME_OF[name]), name)

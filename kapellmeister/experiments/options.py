"""Options of a simulation, alone and in a comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from controller.load.trace import LoadTrace
from simulators.calibration.pipeline_file import find_calibration
from simulators.levels.level import LevelName
from simulators.loads.splits import Split
from simulators.plant.faults import read_scenario
from simulators.simulation import Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """Options that every simulation has; those of the same name are explained by `Simulation`.

    `pipeline` is the name or the file of a calibration, `scenario` a file of faults.
    """

    level: LevelName = "interval"
    interval_s: float | None = None
    peak_streams: int | None = None
    last_days: float | None = None
    knobs: tuple[str, ...] | None = None
    pipeline: str | None = None
    scenario: Path | None = None
    node_start_s: float = 120.0
    target_miss_rate: float = 0.001
    forecaster: str = "last_value"
    modelled: bool = True

    def simulation(self, policy: str, trace: LoadTrace) -> Simulation:
        """A simulation of one policy on one trace, its files read.

        Raises a KapellmeisterError that names the file and the remedy.
        """
        made = Simulation(
            policy,
            trace,
            level=self.level,
            interval_s=self.interval_s,
            peak_streams=self.peak_streams,
            last_days=self.last_days,
            knobs=self.knobs,
            node_start_s=self.node_start_s,
            target_miss_rate=self.target_miss_rate,
            forecaster=self.forecaster,
            modelled=self.modelled,
        )
        if self.pipeline is not None:
            made = replace(made, calibration=find_calibration(self.pipeline))
        return made if self.scenario is None else replace(made, faults=read_scenario(self.scenario))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions(PlayOptions):
    """A simulation, as `kapellmeister simulate` takes it.

    `trace` is a file, a journal or a generator. Random faults come where there is no scenario;
    `telemetry_delay` is in ticks, `telemetry_loss` a share of the reports.
    """

    trace: str
    policy: str = "conductor"
    seed: int = 1
    faults_per_day: float = 0.0
    telemetry_delay: int = 0
    telemetry_loss: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions(PlayOptions):
    """A comparison, as `kapellmeister compare` takes it.

    `traces` and `policies` are names with commas between; `part` None stands for all of each
    trace. Finished jobs are kept in `cache`; `jobs` is how many processes work, None: all cores.
    `dask` is the address of a Dask scheduler whose workers play them, or "local" for as many
    workers here; None: processes here do.
    """

    traces: str
    policies: str = "conductor,hpa,target_tracking,static"
    peak_streams: int | None = 2000
    last_days: float | None = 14.0
    part: Split | None = None
    seeds: int = 1
    sweep: bool = False
    jobs: int | None = None
    cache: Path | None = None
    dask: str | None = None

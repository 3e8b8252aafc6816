"""Commands on what exists in numbers only, and on how true those are."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from controller.config.config import load_config
from kapellmeister.commands.options import (
    ConfigFile,
    JsonFile,
    check_writable,
    contradiction,
    names,
    prints_aside,
    say,
    write_json,
)
from kapellmeister.terminal.interruption import keeping

app = typer.Typer()
COMPARED_DAYS, QUICK_DAYS = 14.0, 3.0


class SimulationLevel(StrEnum):
    """Levels of detail of the simulator."""

    INTERVAL = "interval"
    BATCH = "batch"
    BLOCK = "block"


class Part(StrEnum):
    """Parts of a trace, one after the other in time."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class MeasuredPlant(StrEnum):
    """Plants that can be calibrated."""

    BUILTIN = "builtin"
    JACK = "jack"


Unmodelled = Annotated[
    bool,
    typer.Option(
        "--unmodelled",
        help="Tell policies no law of the pipeline: live without a calibration it is so.",
    ),
]


@app.command(epilog="Example: kapellmeister simulate --trace diurnal --policy hpa --seed 1")
def simulate(
    trace: Annotated[str, typer.Option(help="CSV file, journal, or generator: diurnal, burst:3d.")],
    policy: Annotated[
        str, typer.Option(help="By name, path/to/file.py:Class, or sb3:FILE.zip.")
    ] = "conductor",
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same figures.", min=0, max=1 << 62)
    ] = 1,
    level: Annotated[
        SimulationLevel, typer.Option(help="How exactly blocks are simulated.")
    ] = SimulationLevel.INTERVAL,
    interval: Annotated[
        float | None,
        typer.Option(
            help="Seconds between ticks; 15 at the interval level, else 1.", min=0.1, max=3600.0
        ),
    ] = None,
    peak_streams: Annotated[
        int | None, typer.Option(help="Streams at the trace's peak.", min=1, max=1_000_000)
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="Only the last days of the trace.", min=0.001)
    ] = None,
    knobs: Annotated[
        str | None, typer.Option(help="Only these knobs may be turned: nodes,batch_size.")
    ] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="batch, full, or a description (TOML).", metavar="FILE")
    ] = None,
    node_start: Annotated[
        float,
        typer.Option(
            help="Seconds from a node's request to its first block.", min=0.0, max=86_400.0
        ),
    ] = 120.0,
    target_miss_rate: Annotated[
        float, typer.Option(help="Share of blocks that may be missed.", min=1e-9, max=0.5)
    ] = 0.001,
    scenario: Annotated[
        Path | None, typer.Option(help="Faults to come (TOML).", metavar="FILE")
    ] = None,
    faults_per_day: Annotated[
        float, typer.Option(help="Random faults, by the seed.", min=0.0, max=1000.0)
    ] = 0.0,
    forecaster: Annotated[
        str,
        typer.Option(help="By name or file.py:Class; ensemble, which runs live, takes longer."),
    ] = "last_value",
    unmodelled: Unmodelled = False,
    telemetry_delay: Annotated[
        int, typer.Option(help="Ticks that a report is late.", min=0, max=1000)
    ] = 0,
    telemetry_loss: Annotated[
        float, typer.Option(help="Share of reports that are lost.", min=0.0, max=1.0)
    ] = 0.0,
    json: JsonFile = None,
) -> None:
    """Play a load trace against a policy, on a plant that exists only in numbers."""
    from kapellmeister.experiments.simulate import print_report, simulation_of
    from kapellmeister.terminal.progress import progress
    from simulators.simulate import simulate as play

    check_writable("--json", json)
    with prints_aside():
        simulation = simulation_of(
            trace,
            policy,
            pipeline=pipeline,
            scenario=scenario,
            faults_per_day=faults_per_day,
            seed=seed,
            level=level.value,
            interval_s=interval,
            peak_streams=peak_streams,
            last_days=days,
            knobs=names(knobs),
            node_start_s=node_start,
            target_miss_rate=target_miss_rate,
            forecaster=forecaster,
            modelled=not unmodelled,
            telemetry_delay=telemetry_delay,
            telemetry_loss=telemetry_loss,
        )
        with progress(f"{policy} on {simulation.trace.name}") as advance:
            report = play(simulation, advance).report
    print_report(report, Console())
    write_json(json, report)


@app.command(epilog="Example: kapellmeister compare --traces diurnal,burst --policies hpa,static")
def compare(
    traces: Annotated[
        str, typer.Option(help="CSV files, folders of them or generators, comma-separated.")
    ],
    policies: Annotated[
        str, typer.Option(help="By name or path/to/file.py:Class, comma-separated.")
    ] = "conductor,hpa,target_tracking,static",
    seeds: Annotated[int, typer.Option(help="Loads of each trace.", min=1, max=1000)] = 1,
    days: Annotated[
        float | None, typer.Option(help="Only the last days of each trace; 14.", min=0.01)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the last 3 days, instead of --days.")
    ] = False,
    part: Annotated[
        Part | None, typer.Option(help="Only that part of each trace: 60, 20, 20 %.")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Vary each policy's principal constants.")
    ] = False,
    level: Annotated[
        SimulationLevel, typer.Option(help="How exactly blocks are simulated.")
    ] = SimulationLevel.INTERVAL,
    interval: Annotated[
        float | None,
        typer.Option(
            help="Seconds between ticks; 15 at the interval level, else 1.", min=0.1, max=3600.0
        ),
    ] = None,
    knobs: Annotated[str | None, typer.Option(help="Only these knobs may be turned.")] = None,
    peak_streams: Annotated[
        int | None, typer.Option(help="Streams at each trace's peak.", min=1, max=1_000_000)
    ] = 2000,
    target_miss_rate: Annotated[
        float, typer.Option(help="Share of blocks that may be missed.", min=1e-9, max=0.5)
    ] = 0.001,
    node_start: Annotated[
        float,
        typer.Option(
            help="Seconds from a node's request to its first block.", min=0.0, max=86_400.0
        ),
    ] = 120.0,
    pipeline: Annotated[
        str | None, typer.Option(help="batch, full, or a description (TOML).", metavar="FILE")
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(help="Faults to come, on each trace (TOML).", metavar="FILE")
    ] = None,
    forecaster: Annotated[
        str,
        typer.Option(help="By name or file.py:Class; ensemble, which runs live, takes longer."),
    ] = "last_value",
    unmodelled: Unmodelled = False,
    jobs: Annotated[int | None, typer.Option(help="Processes; all cores.", min=1)] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--resume", help="Keep finished jobs here, and go on.", metavar="DIR"),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write one page for a browser.", metavar="FILE.html")
    ] = None,
    raw: Annotated[
        Path | None, typer.Option(help="Write the rows of every interval.", metavar="DIR")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Play several policies on several traces, and hold them against the oracle."""
    from kapellmeister.experiments.compare import (
        comparison_of,
        print_report,
        rows_folder,
        write_page,
    )
    from kapellmeister.machine.description import describe_machine
    from kapellmeister.terminal.progress import progress
    from simulators.comparison.comparison import compare as play
    from simulators.comparison.manifest import write_manifest

    console = Console(file=sys.stdout)
    if quick and days is not None:
        raise contradiction("--quick", "--days")
    for option, path in (("--json", json), ("--report", report)):
        check_writable(option, path)
    with rows_folder(report, raw) as rows, prints_aside():
        comparison = comparison_of(
            traces,
            policies,
            part=None if part is None else part.value,
            seeds=seeds,
            sweep=sweep,
            cache=cache,
            rows=rows,
            jobs=jobs,
            pipeline=pipeline,
            scenario=scenario,
            say=say,
            interval_s=interval,
            last_days=QUICK_DAYS if quick else days or COMPARED_DAYS,
            level=level.value,
            knobs=names(knobs),
            peak_streams=peak_streams,
            target_miss_rate=target_miss_rate,
            node_start_s=node_start,
            forecaster=forecaster,
            modelled=not unmodelled,
        )
        if raw is not None:
            write_manifest(raw, comparison, describe_machine().model_dump())
        what = f"{len(comparison.policies)} policies, {len(comparison.traces)} traces"
        with keeping(_finished_jobs(cache)), progress(what) as advance:
            figures = play(comparison, advance)
        print_report(figures, console)
        write_json(json, figures)
        if report is not None and rows is not None:
            write_page(figures, rows, report)


@app.command(epilog="Example: kapellmeister forecast --trace diurnal:1d --models ensemble,ridge")
def forecast(
    trace: Annotated[
        str,
        typer.Option(
            "--trace",
            "--traces",
            help="CSV files, folders, journals or generators, comma-separated.",
        ),
    ],
    horizon: Annotated[
        int, typer.Option(help="How far ahead, in samples of the trace.", min=1, max=1000)
    ] = 60,
    models: Annotated[
        str | None, typer.Option(help="By name or path/to/file.py:Class, comma-separated; all.")
    ] = None,
    origins: Annotated[
        int, typer.Option(help="Moments to forecast at, in the second half.", min=1, max=10_000)
    ] = 20,
    peers: Annotated[
        bool, typer.Option("--peers", help="And those of statsforecast (extra: bench).")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw it: .html or .png.", metavar="FILE")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Back-test forecasters on recorded loads: what they said against what then came."""
    from kapellmeister.experiments.forecast import backtest_of, print_report
    from kapellmeister.experiments.forecast_picture import check_picture, write_picture
    from kapellmeister.terminal.progress import progress
    from simulators.backtest.backtest import backtest

    if picture is not None:
        check_picture(picture)
    for option, path in (("--json", json), ("--picture", picture)):
        check_writable(option, path)
    with prints_aside():
        test = backtest_of(trace, names(models), horizon, origins, peers)
        with progress(f"{len(test.names)} forecasters, {len(test.traces)} traces") as advance:
            result = backtest(test, advance)
    print_report(result.report, Console())
    write_json(json, result.report)
    if picture is not None:
        write_picture(result, picture)
    named = names(models)
    if named and all(result.report.models[name].error is not None for name in named):
        raise typer.Exit(2)


@app.command(epilog="Example: kapellmeister calibrate --out here.toml")
def calibrate(
    plant: Annotated[
        MeasuredPlant, typer.Option(help="Whose cycles: our own pipeline's, or a JACK server's.")
    ] = MeasuredPlant.BUILTIN,
    workload: Annotated[str, typer.Option(help="What each stream goes through.")] = "hrtf",
    seconds: Annotated[
        float, typer.Option(help="How long each operating point is observed.", min=1.0, max=3600.0)
    ] = 8.0,
    out: Annotated[
        Path | None, typer.Option(help="Write a description for --pipeline.", metavar="FILE.toml")
    ] = None,
    config: ConfigFile = None,
    json: JsonFile = None,
) -> None:
    """Measure the executors of this machine, and how well a simulation predicts them."""
    from kapellmeister.calibration.calibrate import calibrate as measure
    from kapellmeister.calibration.calibrate import print_report
    from kapellmeister.terminal.progress import progress
    from simulators.calibration.pipeline_file import write_calibration

    for option, path in (("--json", json), ("--out", out)):
        check_writable(option, path)
    with prints_aside(), progress("observing") as advance:
        calibration, report = measure(load_config(config), plant.value, workload, seconds, advance)
    write_json(json, report)
    if out is not None:
        write_calibration(calibration, out)
    print_report(report, Console())


def _finished_jobs(cache: Path | None) -> str:
    """What is kept of a comparison that is interrupted."""
    if cache is None:
        return "nothing is kept without --resume DIR"
    return f"finished jobs are kept: the same command with --resume {cache} goes on from there"

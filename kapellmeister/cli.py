"""The command line."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table

from controller.commands import Command, Pause, Restore, Resume
from controller.config import Config, first_error, load_config
from controller.errors import ConfigurationError, Interruption, KapellmeisterError
from kapellmeister.interruption import awaited, keeping
from kapellmeister.report import RunReport

app = typer.Typer(
    name="kapellmeister",
    help="Keeps every block of audio on time at the least cost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
bench = typer.Typer(help="Figures measured on this machine, peers beside.", no_args_is_help=True)
app.add_typer(bench, name="bench")

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
LONGEST_S = 31 * 86_400.0
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


ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file (TOML).", metavar="FILE")
]
StateDir = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Where the journal lies.", metavar="DIR"),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the result here.", metavar="FILE")
]


@app.command(epilog="Example: kapellmeister run --streams 64 --stress 4 --duration 20")
def run(
    duration: Annotated[
        float | None,
        typer.Option(
            help="Seconds; 60 unless said, and without end where we attach to what plays already.",
            min=0.1,
            max=LONGEST_S,
        ),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="conductor, static, or path/to/file.py:Class.")
    ] = None,
    plant: Annotated[
        str, typer.Option(help="What to control: builtin, jack, pipewire, process or remote.")
    ] = "builtin",
    act: Annotated[
        list[str] | None,
        typer.Option(
            help="Turn this knob, or without a name all of them; the default for builtin.",
            metavar="[KNOB]",
        ),
    ] = None,
    shadow: Annotated[
        bool,
        typer.Option("--shadow", help="Decide and record without acting; the default elsewhere."),
    ] = False,
    process: Annotated[
        list[str] | None,
        typer.Option(
            help="A program, by name, process id or cgroup:PATH, whose audio to schedule."
        ),
    ] = None,
    streams: Annotated[
        int | None, typer.Option(help="A constant number of streams.", min=1, max=4096)
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            help="Load trace (CSV of time and streams), played within the duration.", metavar="FILE"
        ),
    ] = None,
    peak_streams: Annotated[
        int | None, typer.Option(help="Streams at the trace's peak.", min=1, max=4096)
    ] = None,
    workload: Annotated[
        str | None, typer.Option(help="fft, filters, hrtf, spectrogram or visualisation.")
    ] = None,
    taps: Annotated[
        int | None, typer.Option(help="Length of the impulse responses.", min=16, max=16384)
    ] = None,
    stress: Annotated[
        int | None, typer.Option(help="CPU-hungry processes from 5 s on.", min=0, max=256)
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(help="Worker processes at the start.", min=1, max=64)
    ] = None,
    audio: Annotated[
        Path | None, typer.Option(help="Sound file, or a folder of them.", metavar="PATH")
    ] = None,
    hrtf: Annotated[
        Path | None, typer.Option(help="Impulse responses (SOFA).", metavar="FILE")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Write what is heard here.", metavar="OUT.wav")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="Raise an alarm where this is not met (`calibrate`).", metavar="FILE"),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics on 127.0.0.1.", min=0, max=65535)
    ] = None,
    dashboard: Annotated[
        bool | None,
        typer.Option(
            "--dashboard/--no-dashboard", help="Show the run in a browser on this machine as well."
        ),
    ] = None,
    state_dir: StateDir = None,
    config: ConfigFile = None,
    json: JsonFile = None,
    live: Annotated[bool, typer.Option(help="Show the run live, in a terminal.")] = True,
) -> None:
    """Start an audio pipeline, or attach to one, keep it on time, and show that live."""
    from kapellmeister.run import RunOptions
    from kapellmeister.run import run as run_plant

    settings = _with_overrides(
        load_config(config),
        {
            "loop": {"policy": policy, "act": _acting(act, shadow)},
            "sidecar": {"processes": process},
            "pipeline": {
                "peak_streams": peak_streams,
                "workload": workload,
                "taps": taps,
                "stress": stress,
                "nodes": nodes,
            },
            "metrics": {"port": metrics_port},
            "dashboard": {"serve": dashboard},
        },
    )
    _check_combination(streams, trace, peak_streams)
    _check_writable("--json", json)
    options = RunOptions(
        duration, plant, streams, trace, audio, hrtf, record, calibration, state_dir
    )
    console = Console(file=sys.stdout)
    view_on = console if live and console.is_terminal else None
    with _prints_aside():
        report = run_plant(options, settings, view_on)
    with contextlib.suppress(OSError):  # the terminal may have been closed
        _print_summary(report, console)
    _write_json(json, report)


@app.command(epilog="Example: kapellmeister pause --knob nodes --for 2h")
def pause(
    knob: Annotated[str | None, typer.Option(help="Only this knob.")] = None,
    shrink_only: Annotated[bool, typer.Option(help="Growing stays allowed.")] = False,
    duration: Annotated[
        str | None, typer.Option("--for", help="For how long: 90s, 15m, 2h, 1d.")
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Tell the running controller to leave its knobs alone."""
    from kapellmeister.remote_control import until_s

    _command(Pause(knob, shrink_only, until_s(duration)), state_dir)


@app.command(epilog="Example: kapellmeister resume")
def resume(
    knob: Annotated[str | None, typer.Option(help="Only this knob.")] = None,
    state_dir: StateDir = None,
) -> None:
    """Let a paused controller act again, from the settings then in force."""
    _command(Resume(knob), state_dir)


@app.command(epilog="Example: kapellmeister restore --knob thread_classes")
def restore(
    knob: Annotated[str | None, typer.Option(help="Only this knob.")] = None,
    state_dir: StateDir = None,
) -> None:
    """Put back what the controller found, and leave it so until `resume`."""
    _command(Restore(knob), state_dir)


@app.command(epilog="Example: kapellmeister explain --last 5")
def explain(
    run: Annotated[int | None, typer.Option(help="Number of the run; the latest.")] = None,
    last: Annotated[int | None, typer.Option(help="Only so many decisions.", min=1)] = None,
    shadow_report: Annotated[
        str | None,
        typer.Option(
            help="What shadows of so long (12h, 7d) would have done, and spared.", metavar="TIME"
        ),
    ] = None,
    state_dir: StateDir = None,
    json: JsonFile = None,
) -> None:
    """Print what was decided when, why, and what came of it."""
    if shadow_report is not None:
        _explain_shadow(shadow_report, run, last, state_dir, json)
        return
    from controller.state_directory import StateDirectory
    from kapellmeister.explain import explain as explain_journal
    from kapellmeister.explain import print_explanation

    explanation = explain_journal(StateDirectory(state_dir).journal_path, run, last)
    _write_json(json, explanation)
    print_explanation(explanation, Console())


def _explain_shadow(
    duration: str, run: int | None, last: int | None, state_dir: Path | None, json: Path | None
) -> None:
    from controller.state_directory import StateDirectory
    from kapellmeister.duration import seconds
    from kapellmeister.progress import progress
    from kapellmeister.shadow_report import print_shadow_report, shadow_report

    if run is not None or last is not None:
        why = "covers all runs of that time"
        raise ConfigurationError("command line", "--shadow-report", why, "leave out --run, --last")
    last_s = seconds("--shadow-report", duration)
    with progress("reading the journal") as advance:
        report = shadow_report(StateDirectory(state_dir).journal_path, last_s, advance)
    _write_json(json, report)
    print_shadow_report(report, Console())


@app.command(epilog="Example: kapellmeister doctor")
def doctor(json: JsonFile = None) -> None:
    """Say what can be sensed and turned on this machine, and how to enable the rest."""
    from kapellmeister.doctor import doctor as examine
    from kapellmeister.doctor import print_report

    report = examine()
    _write_json(json, report)
    print_report(report, Console())


@app.command(epilog="Example: kapellmeister config --check my.toml")
def config(
    check: Annotated[
        Path | None, typer.Option(help="Check this file instead.", metavar="FILE")
    ] = None,
    explain: Annotated[
        str | None, typer.Option(help="Explain one key: loop.interval_s.", metavar="KEY")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Print the configuration in force, with each key explained."""
    from kapellmeister.configuration import check_config, explain_config, print_config

    if check is not None:
        with _prints_aside():
            said = check_config(check)
        typer.echo(said)
    elif explain is not None:
        typer.echo(explain_config(explain))
    else:
        typer.echo(print_config(load_config(config)))


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
    telemetry_delay: Annotated[
        int, typer.Option(help="Ticks that a report is late.", min=0, max=1000)
    ] = 0,
    telemetry_loss: Annotated[
        float, typer.Option(help="Share of reports that are lost.", min=0.0, max=1.0)
    ] = 0.0,
    json: JsonFile = None,
) -> None:
    """Play a load trace against a policy, on a plant that exists only in numbers."""
    from kapellmeister.progress import progress
    from kapellmeister.simulate import print_report, simulation_of
    from simulators.simulation import simulate as play

    _check_writable("--json", json)
    with _prints_aside():
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
            knobs=_names(knobs),
            node_start_s=node_start,
            target_miss_rate=target_miss_rate,
            forecaster=forecaster,
            telemetry_delay=telemetry_delay,
            telemetry_loss=telemetry_loss,
        )
        with progress(f"{policy} on {simulation.trace.name}") as advance:
            report = play(simulation, advance).report
    print_report(report, Console())
    _write_json(json, report)


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
    from kapellmeister.bench.machine import describe_machine
    from kapellmeister.compare import comparison_of, print_report, rows_folder, write_page
    from kapellmeister.progress import progress
    from simulators.comparison import compare as play
    from simulators.raw import write_manifest

    console = Console(file=sys.stdout)
    if quick and days is not None:
        raise _contradiction("--quick", "--days")
    for option, path in (("--json", json), ("--report", report)):
        _check_writable(option, path)
    with rows_folder(report, raw) as rows, _prints_aside():
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
            say=_say,
            interval_s=interval,
            last_days=QUICK_DAYS if quick else days or COMPARED_DAYS,
            level=level.value,
            knobs=_names(knobs),
            peak_streams=peak_streams,
            target_miss_rate=target_miss_rate,
            node_start_s=node_start,
            forecaster=forecaster,
        )
        if raw is not None:
            write_manifest(raw, comparison, describe_machine().model_dump())
        what = f"{len(comparison.policies)} policies, {len(comparison.traces)} traces"
        with keeping(_finished_jobs(cache)), progress(what) as advance:
            figures = play(comparison, advance)
        print_report(figures, console)
        _write_json(json, figures)
        if report is not None and rows is not None:
            write_page(figures, rows, report)


@app.command(epilog="Example: kapellmeister forecast --trace diurnal --horizon 60")
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
    from kapellmeister.forecast import backtest_of, print_report
    from kapellmeister.forecast_picture import check_picture, write_picture
    from kapellmeister.progress import progress
    from simulators.backtest import backtest

    if picture is not None:
        check_picture(picture)
    for option, path in (("--json", json), ("--picture", picture)):
        _check_writable(option, path)
    with _prints_aside():
        test = backtest_of(trace, _names(models), horizon, origins, peers)
        with progress(f"{len(test.names)} forecasters, {len(test.traces)} traces") as advance:
            result = backtest(test, advance)
    print_report(result.report, Console())
    _write_json(json, result.report)
    if picture is not None:
        write_picture(result, picture)
    named = _names(models)
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
    from kapellmeister.calibrate import calibrate as measure
    from kapellmeister.calibrate import print_report
    from kapellmeister.progress import progress
    from simulators.pipeline_file import write_calibration

    for option, path in (("--json", json), ("--out", out)):
        _check_writable(option, path)
    with _prints_aside(), progress("observing") as advance:
        calibration, report = measure(load_config(config), plant.value, workload, seconds, advance)
    _write_json(json, report)
    if out is not None:
        write_calibration(calibration, out)
    print_report(report, Console())


@bench.command("workloads", epilog="Example: kapellmeister bench workloads --json out.json")
def bench_workloads(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.", min=3)] = 7,
    json: JsonFile = None,
) -> None:
    """Throughput of the workloads, with scipy and pedalboard beside."""
    from kapellmeister.bench.workloads import bench_workloads as measure
    from kapellmeister.bench.workloads import print_report

    report = measure(rounds)
    _write_json(json, report)
    print_report(report, Console())


@bench.command("loop", epilog="Example: kapellmeister bench loop --pairs 5 --json out.json")
def bench_loop(
    pairs: Annotated[int, typer.Option(help="Interleaved pairs of policies.", min=1)] = 5,
    ticks: Annotated[int, typer.Option(help="Ticks that cost is measured over.", min=10)] = 600,
    quiet: Annotated[float, typer.Option(help="Seconds without stress.", min=10.0)] = 600.0,
    json: JsonFile = None,
) -> None:
    """Misses with and without the conductor under stress, and what control costs."""
    from kapellmeister.bench.loop import bench_loop as measure
    from kapellmeister.bench.loop import print_report

    report = measure(pairs, ticks, quiet)
    _write_json(json, report)
    print_report(report, Console())


@bench.command("policies", epilog="Example: kapellmeister bench policies --json out.json")
def bench_policies(
    policy: Annotated[str, typer.Option(help="A name, or path/to/file.py:Class.")] = "conductor",
    forecaster: Annotated[str, typer.Option(help="Who forecasts the load.")] = "last_value",
    hours: Annotated[
        float, typer.Option(help="Simulated hours with random faults.", min=72.0, max=100_000.0)
    ] = 100.0,
    json: JsonFile = None,
) -> None:
    """Time of a decision, response to steps and bursts, and wrong turns under faults."""
    from kapellmeister.bench.policies import bench_policies as measure
    from kapellmeister.bench.policies import print_report
    from kapellmeister.progress import progress

    _check_writable("--json", json)
    with _prints_aside(), progress("measuring") as advance:
        report = measure(policy, forecaster, hours, advance)
    _write_json(json, report)
    print_report(report, Console())


@bench.command("forecast", epilog="Example: kapellmeister bench forecast --json out.json")
def bench_forecast(
    forecaster: Annotated[str, typer.Option(help="A name, or path/to/file.py:Class.")] = "ensemble",
    json: JsonFile = None,
) -> None:
    """What a forecast costs the control thread, and what its fits cost beside it."""
    from kapellmeister.bench.forecasting import bench_forecasting as measure
    from kapellmeister.bench.forecasting import print_report
    from kapellmeister.progress import progress

    _check_writable("--json", json)
    with progress("measuring") as advance:
        report = measure(forecaster, advance)
    _write_json(json, report)
    print_report(report, Console())


@bench.command("sidecar", epilog="Example: kapellmeister bench sidecar --pairs 5")
def bench_sidecar(
    pairs: Annotated[int, typer.Option(help="Interleaved pairs, without and with.", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of a window.", min=1.0)] = 12.0,
    hogs: Annotated[int, typer.Option(help="Processes that disturb the sound.", min=0)] = 4,
    json: JsonFile = None,
) -> None:
    """Xruns of a JACK server that others play on, with the sidecar and without."""
    from kapellmeister.bench.sidecar import bench_sidecar as measure
    from kapellmeister.bench.sidecar import print_report
    from kapellmeister.progress import progress

    _check_writable("--json", json)
    with progress("measuring") as advance:
        report = measure(pairs, seconds, hogs, advance)
    _write_json(json, report)
    print_report(report, Console())


@bench.command("simulator", epilog="Example: kapellmeister bench simulator --json out.json")
def bench_simulator(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.", min=1)] = 5,
    traces: Annotated[
        str | None, typer.Option(help="Sweep these as well, 3 days of each: 10 minutes more.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="And 14 days of each: 45 minutes more.")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Speed of the simulator, and how true each level of it is to the finer one."""
    from kapellmeister.bench.simulator import bench_simulator as measure
    from kapellmeister.bench.simulator import print_report, sweeps
    from kapellmeister.progress import progress

    _check_writable("--json", json)
    swept = [] if traces is None else sweeps(traces, full=full)
    with progress("measuring") as advance:
        report = measure(rounds, swept, advance)
    _write_json(json, report)
    print_report(report, Console())


def main() -> NoReturn:
    """Run a command; bad input ends in one line and exit status 2, Ctrl-C in one and 130."""
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    sys.argv[1:] = with_all_named(sys.argv[1:])
    try:
        with awaited():
            status = app(standalone_mode=False)
    except KapellmeisterError as error:
        if isinstance(error, Interruption):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # another has nothing left to end
        _fail(str(error), error.status)
    except UsageError as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "kapellmeister"
        _fail(f"{_usage(error)}; `{command} --help` shows the usage")
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:  # a full disk, a folder that is none: whatever was to be written
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}; free some space, or name another place")
    sys.exit(status if isinstance(status, int) else 0)


def with_all_named(arguments: list[str]) -> list[str]:
    """Options may stand without a value where that means all: the parser wants to hear it."""
    named = []
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=True):
        named.append(argument)
        if argument == "--act" and following.startswith("-"):
            named.append("all")
    return named


def _acting(act: list[str] | None, shadow: bool) -> str | None:
    """The knobs to turn, as the configuration has them; None where nothing was said."""
    if shadow and act:
        raise ConfigurationError("command line", "--shadow", "contradicts --act", "give one")
    return "none" if shadow else ",".join(act) if act else None


def _usage(error: Exception) -> str:
    """What the option parser says, with the option that it is about."""
    words: str = getattr(error, "format_message", error.__str__)()
    return words.rstrip(".")


def _prints_aside() -> contextlib.redirect_stdout[TextIO]:
    """What plug-ins print meanwhile goes to stderr: stdout is for results."""
    return contextlib.redirect_stdout(sys.stderr)


def _say(message: str) -> None:
    """A line beside the results."""
    print(f"kapellmeister: {message}", file=sys.stderr)


def _fail(message: str, status: int = KapellmeisterError.status) -> NoReturn:
    _say(message)
    sys.exit(status)


def _command(command: Command, state_dir: Path | None) -> None:
    from kapellmeister.remote_control import send

    typer.echo(send(command, state_dir))


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(each.strip() for each in text.split(","))


def _with_overrides(config: Config, sections: dict[str, dict[str, object]]) -> Config:
    """The configuration with what the command line says; None says nothing."""
    updates = {}
    for name, values in sections.items():
        given = {key: value for key, value in values.items() if value is not None}
        section = getattr(config, name)
        try:
            updates[name] = type(section).model_validate(section.model_dump() | given)
        except ValidationError as error:
            raise first_error("command line", error, name) from error
    return config.model_copy(update=updates)


def _finished_jobs(cache: Path | None) -> str:
    """What is kept of a comparison that is interrupted."""
    if cache is None:
        return "nothing is kept without --resume DIR"
    return f"finished jobs are kept: the same command with --resume {cache} goes on from there"


def _check_combination(streams: int | None, trace: Path | None, peak: int | None) -> None:
    """A constant load leaves nothing for a trace to say."""
    if streams is not None and (trace is not None or peak is not None):
        raise _contradiction("--streams", "--trace" if trace is not None else "--peak-streams")


def _contradiction(option: str, other: str) -> ConfigurationError:
    why = f"it says nothing beside {other}"
    return ConfigurationError("command line", option, why, "give one of the two")


def _check_writable(option: str, path: Path | None) -> None:
    """Find out before a minute of work that its result has nowhere to go."""
    if path is None:
        return
    is_new = not path.exists()
    try:
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise _unwritable(option, path, error) from error


def _unwritable(option: str, path: Path, error: OSError) -> ConfigurationError:
    why = error.strerror or "cannot be written"
    return ConfigurationError("command line", f"{option} {path}", why, "name another")


def _write_json(path: Path | None, figures: BaseModel) -> None:
    if path is None:
        return
    try:
        path.write_text(figures.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable("--json", path, error) from error


def _print_summary(report: RunReport, console: Console) -> None:
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="bold")
    for row in report.lines():
        table.add_row(*row)
    console.print(table)

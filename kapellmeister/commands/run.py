"""`kapellmeister run`: start a plant or attach to one, control it and show it."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from controller.config.config import Config, first_error, load_config
from controller.errors import ConfigurationError, KapellmeisterError
from kapellmeister.commands.options import (
    OTHER,
    ConfigFile,
    JsonFile,
    StateDir,
    check_writable,
    contradiction,
    prints_aside,
    say,
    write_json,
)
from kapellmeister.start_time import BEGUN_TICKS

app = typer.Typer()
LONGEST_S = 31 * 86_400.0

Duration = Annotated[
    float | None,
    typer.Option(
        help="Seconds; 60 unless said, and without end where we attach to what plays already.",
        min=0.1,
        max=LONGEST_S,
    ),
]
PolicyName = Annotated[
    str | None, typer.Option(help="conductor, static, or path/to/file.py:Class.")
]
PlantName = Annotated[
    str, typer.Option(help="What to control: builtin, jack, pipewire, process or remote.")
]
Act = Annotated[
    list[str] | None,
    typer.Option(
        help="Turn this knob, or without a name all of them; the default for builtin.",
        metavar="[KNOB]",
    ),
]
InShadow = Annotated[
    bool, typer.Option("--shadow", help="Decide and record without acting; the default elsewhere.")
]
Programs = Annotated[
    list[str] | None,
    typer.Option(help="A program, by name, process id or cgroup:PATH, whose audio to schedule."),
]
Streams = Annotated[
    int | None, typer.Option(help="A constant number of streams.", min=1, max=16384)
]
TraceFile = Annotated[
    Path | None,
    typer.Option(
        help="Load trace (CSV of time and streams), played within the duration.", metavar="FILE"
    ),
]
PeakStreams = Annotated[
    int | None, typer.Option(help="Streams at the trace's peak.", min=1, max=16384)
]
WorkloadName = Annotated[
    str | None, typer.Option(help="fft, filters, hrtf, spectrogram or visualisation.")
]
ExecutorName = Annotated[
    str | None, typer.Option(help="What renders the streams, instead of --device: FILE.py:Class.")
]
DeviceName = Annotated[
    str | None,
    typer.Option(help="auto, cpu, cuda, or emulated: the GPU executor without a GPU."),
]
Taps = Annotated[
    int | None, typer.Option(help="Length of the impulse responses.", min=16, max=16384)
]
Stress = Annotated[
    int | None, typer.Option(help="CPU-hungry processes from 5 s on.", min=0, max=256)
]
Nodes = Annotated[int | None, typer.Option(help="Worker processes at the start.", min=1, max=64)]
SoundPath = Annotated[
    Path | None, typer.Option(help="Sound file, or a folder of them.", metavar="PATH")
]
HrtfFile = Annotated[Path | None, typer.Option(help="Impulse responses (SOFA).", metavar="FILE")]
Recording = Annotated[
    Path | None, typer.Option(help="Write what is heard here.", metavar="OUT.wav")
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(help="Raise an alarm where this is not met (`calibrate`).", metavar="FILE"),
]
MetricsPort = Annotated[
    int | None, typer.Option(help="Serve Prometheus metrics on 127.0.0.1.", min=0, max=65535)
]
Dashboard = Annotated[
    bool | None,
    typer.Option(
        "--dashboard/--no-dashboard", help="Show the run in a browser on this machine as well."
    ),
]
Live = Annotated[bool, typer.Option(help="Show the run live, in a terminal.")]


@app.command(epilog="Example: kapellmeister run --streams 64 --stress 4 --duration 20")
def run(
    duration: Duration = None,
    policy: PolicyName = None,
    plant: PlantName = "builtin",
    act: Act = None,
    shadow: InShadow = False,
    process: Programs = None,
    streams: Streams = None,
    trace: TraceFile = None,
    peak_streams: PeakStreams = None,
    workload: WorkloadName = None,
    device: DeviceName = None,
    executor: ExecutorName = None,
    taps: Taps = None,
    stress: Stress = None,
    nodes: Nodes = None,
    audio: SoundPath = None,
    hrtf: HrtfFile = None,
    record: Recording = None,
    calibration: CalibrationFile = None,
    metrics_port: MetricsPort = None,
    dashboard: Dashboard = None,
    state_dir: StateDir = None,
    config: ConfigFile = None,
    json: JsonFile = None,
    live: Live = True,
) -> None:
    """Start an audio pipeline, or attach to one, keep it on time, and show that live."""
    from kapellmeister.running.options import RunOptions
    from kapellmeister.running.report import print_report
    from kapellmeister.running.run import run as control

    pipeline = {"peak_streams": peak_streams, "workload": workload, "device": device}
    renderers = {"executor": executor, "taps": taps, "stress": stress, "nodes": nodes}
    sections: dict[str, dict[str, object]] = {
        "loop": {"policy": policy, "act": _acting(act, shadow)},
        "sidecar": {"processes": process},
        "pipeline": {**pipeline, **renderers},
        "metrics": {"port": metrics_port},
        "dashboard": {"serve": dashboard},
    }
    settings = _with_overrides(load_config(config), sections)
    _check_combination(streams, trace, peak_streams)
    _check_process(process, plant)
    _check_results(json, record)
    check_writable("--json", json, state_dir)
    options = RunOptions(
        duration, plant, streams, trace, audio, hrtf, record, calibration, state_dir, BEGUN_TICKS
    )
    console = Console(file=sys.stdout)
    with prints_aside():
        report = control(options, settings, console if live and console.is_terminal else None)
    with contextlib.suppress(OSError):  # the terminal may have been closed
        print_report(report, console)
    write_json(json, report)
    if report.unrecorded is not None:
        say(report.unrecorded)
        raise typer.Exit(KapellmeisterError.status)


def _acting(act: list[str] | None, shadow: bool) -> str | None:
    """The knobs to turn, as the configuration has them; None where nothing was said."""
    if shadow and act:
        raise ConfigurationError("command line", "--shadow", "contradicts --act", "give one")
    return "none" if shadow else ",".join(act) if act else None


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


def _check_combination(streams: int | None, trace: Path | None, peak: int | None) -> None:
    """A constant load leaves nothing for a trace to say."""
    if streams is not None and (trace is not None or peak is not None):
        raise contradiction("--streams", "--trace" if trace is not None else "--peak-streams")


def _check_results(json: Path | None, record: Path | None) -> None:
    """The figures would be written over the recording, or the recording over them."""
    from kapellmeister.running.own_files import is_same

    if json is not None and record is not None and is_same(json, record):
        why = "the recording goes there"
        raise ConfigurationError("command line", f"--json {json}", why, OTHER)


def _check_process(process: list[str] | None, plant: str) -> None:
    """A program is named to attach to it, which the pipeline of our own would silently leave."""
    if process and plant in ("builtin", "remote"):
        why = f"says nothing to --plant {plant}"
        raise ConfigurationError("command line", "--process", why, "add --plant process")

"""Commands on what plays: run it, hold it, and have it explained."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from controller.commands import Command, Pause, Restore, Resume
from controller.config.config import Config, first_error, load_config
from controller.errors import ConfigurationError
from kapellmeister.begun import BEGUN_TICKS
from kapellmeister.commands.options import (
    ConfigFile,
    JsonFile,
    StateDir,
    check_writable,
    contradiction,
    prints_aside,
    write_json,
)
from kapellmeister.running.report import RunReport

app = typer.Typer()
LONGEST_S = 31 * 86_400.0


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
    from kapellmeister.running.options import RunOptions
    from kapellmeister.running.run import run as run_plant

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
    _check_process(process, plant)
    check_writable("--json", json)
    options = RunOptions(
        duration, plant, streams, trace, audio, hrtf, record, calibration, state_dir, BEGUN_TICKS
    )
    console = Console(file=sys.stdout)
    view_on = console if live and console.is_terminal else None
    with prints_aside():
        report = run_plant(options, settings, view_on)
    with contextlib.suppress(OSError):  # the terminal may have been closed
        _print_summary(report, console)
    write_json(json, report)


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
    from kapellmeister.running.steering import until_s

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
    from controller.journal.state_directory import StateDirectory
    from kapellmeister.explaining.explain import explain as explain_journal
    from kapellmeister.explaining.explain import print_explanation

    explanation = explain_journal(StateDirectory(state_dir).journal_path, run, last)
    write_json(json, explanation)
    print_explanation(explanation, Console())


def _explain_shadow(
    duration: str, run: int | None, last: int | None, state_dir: Path | None, json: Path | None
) -> None:
    from controller.journal.state_directory import StateDirectory
    from kapellmeister.explaining.shadow_report import print_shadow_report, shadow_report
    from kapellmeister.terminal.duration import seconds
    from kapellmeister.terminal.progress import progress

    if run is not None or last is not None:
        why = "covers all runs of that time"
        raise ConfigurationError("command line", "--shadow-report", why, "leave out --run, --last")
    last_s = seconds("--shadow-report", duration)
    with progress("reading the journal") as advance:
        report = shadow_report(StateDirectory(state_dir).journal_path, last_s, advance)
    write_json(json, report)
    print_shadow_report(report, Console())


@app.command(epilog="Example: kapellmeister doctor")
def doctor(json: JsonFile = None) -> None:
    """Say what can be sensed and turned on this machine, and how to enable the rest."""
    from kapellmeister.machine.doctor import doctor as examine
    from kapellmeister.machine.doctor import print_report

    report = examine()
    write_json(json, report)
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
        with prints_aside():
            said = check_config(check)
        typer.echo(said)
    elif explain is not None:
        typer.echo(explain_config(explain))
    else:
        typer.echo(print_config(load_config(config)))


def _acting(act: list[str] | None, shadow: bool) -> str | None:
    """The knobs to turn, as the configuration has them; None where nothing was said."""
    if shadow and act:
        raise ConfigurationError("command line", "--shadow", "contradicts --act", "give one")
    return "none" if shadow else ",".join(act) if act else None


def _command(command: Command, state_dir: Path | None) -> None:
    from kapellmeister.running.steering import send

    typer.echo(send(command, state_dir))


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


def _check_process(process: list[str] | None, plant: str) -> None:
    """A program is named to attach to it, which the pipeline of our own would silently leave."""
    if process and plant in ("builtin", "remote"):
        why = f"says nothing to --plant {plant}"
        raise ConfigurationError("command line", "--process", why, "add --plant process")


def _print_summary(report: RunReport, console: Console) -> None:
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="bold")
    for row in report.lines():
        table.add_row(*row)
    console.print(table)

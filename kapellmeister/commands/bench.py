"""Figures measured on this machine, peers beside."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from kapellmeister.commands.options import (
    JsonFile,
    NamedPlugIn,
    check_writable,
    prints_aside,
    rewrite_json,
    write_json,
)

if TYPE_CHECKING:
    from kapellmeister.bench.hardware.figures import HardwareReport

app = typer.Typer(help="Figures measured on this machine, peers beside.", no_args_is_help=True)


class SoundServer(StrEnum):
    """A server of somebody else's sound."""

    JACK = "jack"
    PIPEWIRE = "pipewire"


class MeasuredDevice(StrEnum):
    """A device that is measured."""

    CUDA = "cuda"
    EMULATED = "emulated"


@app.command("workloads", epilog="Example: kapellmeister bench workloads --json out.json")
def workloads(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.", min=3)] = 7,
    json: JsonFile = None,
) -> None:
    """Throughput of the workloads, with scipy and pedalboard beside."""
    from kapellmeister.bench.workloads.measure import bench_workloads as measure
    from kapellmeister.bench.workloads.report import print_report

    check_writable("--json", json)
    report = measure(rounds)
    write_json(json, report)
    print_report(report, Console())


@app.command("loop", epilog="Example: kapellmeister bench loop --pairs 5 --json out.json")
def loop(
    pairs: Annotated[int, typer.Option(help="Interleaved pairs of policies.", min=1)] = 5,
    ticks: Annotated[int, typer.Option(help="Ticks that cost is measured over.", min=10)] = 600,
    quiet: Annotated[float, typer.Option(help="Seconds without stress.", min=10.0)] = 600.0,
    json: JsonFile = None,
) -> None:
    """Misses with and without the conductor under stress, and what control costs."""
    from kapellmeister.bench.loop import bench_loop as measure
    from kapellmeister.bench.loop import print_report

    check_writable("--json", json)
    report = measure(pairs, ticks, quiet)
    write_json(json, report)
    print_report(report, Console())


@app.command("policies", epilog="Example: kapellmeister bench policies --json out.json")
def policies(
    policy: NamedPlugIn = "conductor",
    forecaster: Annotated[str, typer.Option(help="Who forecasts the load.")] = "last_value",
    hours: Annotated[
        float, typer.Option(help="Simulated hours with random faults.", min=72.0, max=100_000.0)
    ] = 100.0,
    json: JsonFile = None,
) -> None:
    """Time of a decision, response to steps and bursts, and wrong turns under faults."""
    from kapellmeister.bench.policies.measure import bench_policies as measure
    from kapellmeister.bench.policies.report import print_report
    from kapellmeister.terminal.progress import progress

    check_writable("--json", json)
    with prints_aside(), progress("measuring") as advance:
        report = measure(policy, forecaster, hours, advance)
    write_json(json, report)
    print_report(report, Console())


@app.command("forecast", epilog="Example: kapellmeister bench forecast --json out.json")
def forecast(
    forecaster: NamedPlugIn = "ensemble",
    json: JsonFile = None,
) -> None:
    """Measure what a forecast costs the control thread, and its fits beside it."""
    from kapellmeister.bench.forecasting import bench_forecasting as measure
    from kapellmeister.bench.forecasting import print_report
    from kapellmeister.terminal.progress import progress

    check_writable("--json", json)
    with progress("measuring") as advance:
        report = measure(forecaster, advance)
    write_json(json, report)
    print_report(report, Console())


@app.command("sidecar", epilog="Example: kapellmeister bench sidecar --server pipewire")
def sidecar(
    server: Annotated[SoundServer, typer.Option(help="Which server.")] = SoundServer.JACK,
    pairs: Annotated[int, typer.Option(help="Interleaved pairs, in shadow and acting.", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of a window.", min=1.0, max=3600.0)] = 12.0,
    hogs: Annotated[int, typer.Option(help="Processes that disturb the sound.", min=0)] = 4,
    json: JsonFile = None,
) -> None:
    """Errors of a sound server that others play on, with the sidecar in shadow and acting."""
    from kapellmeister.bench.sidecar import bench_sidecar as measure
    from kapellmeister.bench.sidecar import print_report
    from kapellmeister.terminal.interruption import also_terminated
    from kapellmeister.terminal.progress import progress

    check_writable("--json", json)
    with also_terminated(), progress("measuring") as advance:
        report = measure(server.value, pairs, seconds, hogs, advance)
    write_json(json, report)
    print_report(report, Console())


@app.command("simulator", epilog="Example: kapellmeister bench simulator --json out.json")
def simulator(
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
    from kapellmeister.bench.simulator.measure import bench_simulator as measure
    from kapellmeister.bench.simulator.report import print_report
    from kapellmeister.bench.simulator.speed import sweeps
    from kapellmeister.terminal.progress import progress

    check_writable("--json", json)
    swept = [] if traces is None else sweeps(traces, full=full)
    with progress("measuring") as advance:
        report = measure(rounds, swept, advance)
    write_json(json, report)
    print_report(report, Console())


@app.command("vram", epilog="Example: kapellmeister bench vram --json out.json")
def vram(
    seeds: Annotated[int, typer.Option(help="Loads of each kind.", min=1)] = 4,
    allocations: Annotated[int, typer.Option(help="Allocations of a load.", min=1000)] = 300_000,
    hours: Annotated[float, typer.Option(help="Hours of the load of a day.", min=0.1)] = 24.0,
    json: JsonFile = None,
) -> None:
    """Share device memory out, on offsets alone: time, refusals, bytes moved, peers beside."""
    from kapellmeister.bench.vram.measure import bench_vram as measure
    from kapellmeister.bench.vram.report import print_report
    from kapellmeister.terminal.progress import progress

    check_writable("--json", json)
    with progress("measuring") as advance:
        report = measure(seeds, allocations, hours, advance)
    write_json(json, report)
    print_report(report, Console())


@app.command("cluster", epilog="Example: kapellmeister bench cluster --json out.json")
def cluster(
    windows: Annotated[int, typer.Option(help="Windows that ranges are taken over.", min=1)] = 5,
    rounds: Annotated[int, typer.Option(help="Rounds of each in a window.", min=10)] = 90,
    json: JsonFile = None,
) -> None:
    """Time of a round of blocks to worker processes and back, bare ways and peers beside."""
    from kapellmeister.bench.cluster.measure import bench_cluster as measure
    from kapellmeister.bench.cluster.report import print_report
    from kapellmeister.terminal.interruption import also_terminated
    from kapellmeister.terminal.progress import progress

    check_writable("--json", json)
    with also_terminated():
        report = measure(windows, rounds, progress)
    write_json(json, report)
    print_report(report, Console())


@app.command("hardware", epilog="Example: kapellmeister bench hardware --json out.json")
def hardware(
    device: Annotated[
        MeasuredDevice, typer.Option(help="What to measure; emulated needs no GPU.")
    ] = MeasuredDevice.CUDA,
    budget: Annotated[
        float, typer.Option(help="Seconds for all of it, the most important first.", min=1.0)
    ] = 480.0,
    json: JsonFile = None,
    html: Annotated[
        Path | None, typer.Option(help="Write one page for a browser.", metavar="FILE.html")
    ] = None,
) -> None:
    """A GPU beside processors, CuPy alone and goals; the JSON is rewritten after every row."""
    from kapellmeister.bench.hardware.measure import bench_hardware as measure
    from kapellmeister.bench.hardware.page import check_page, write_page
    from kapellmeister.bench.hardware.report import print_report
    from kapellmeister.terminal.interruption import also_terminated
    from kapellmeister.terminal.progress import progress

    for option, path in (("--json", json), ("--html", html)):
        check_writable(option, path)
    if html is not None:
        check_page()
    with also_terminated(), progress("measuring") as advance:
        report = measure(device.value, budget, partial(_keep, json), advance)
    if html is not None:
        write_page(report, html)
    print_report(report, Console())


def _keep(path: Path | None, report: HardwareReport) -> None:
    rewrite_json(path, report, is_last=report.is_complete)

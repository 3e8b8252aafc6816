"""`kapellmeister simulate`: one policy on one trace, in numbers only."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from kapellmeister.commands.options import (
    JsonFile,
    check_writable,
    prints_aside,
    write_json,
)
from kapellmeister.commands.play_options import Play, plays

app = typer.Typer()

TraceName = Annotated[str, typer.Option(help="CSV file, journal, or generator: diurnal, burst:3d.")]
PolicyName = Annotated[str, typer.Option(help="By name, path/to/file.py:Class, or sb3:FILE.zip.")]
Seed = Annotated[
    int, typer.Option(help="The same seed gives the same figures.", min=0, max=1 << 62)
]
PeakStreams = Annotated[
    int | None, typer.Option(help="Streams at the trace's peak.", min=1, max=1_000_000)
]
LastDays = Annotated[float | None, typer.Option(help="Only the last days of the trace.", min=0.001)]
FaultsPerDay = Annotated[
    float, typer.Option(help="Random faults, by the seed.", min=0.0, max=1000.0)
]
TelemetryDelay = Annotated[int, typer.Option(help="Ticks that a report is late.", min=0, max=1000)]
TelemetryLoss = Annotated[
    float, typer.Option(help="Share of reports that are lost.", min=0.0, max=1.0)
]


@app.command(epilog="Example: kapellmeister simulate --trace diurnal --policy hpa --seed 1")
@plays
def simulate(
    trace: TraceName,
    play: Play,
    policy: PolicyName = "conductor",
    seed: Seed = 1,
    peak_streams: PeakStreams = None,
    days: LastDays = None,
    faults_per_day: FaultsPerDay = 0.0,
    telemetry_delay: TelemetryDelay = 0,
    telemetry_loss: TelemetryLoss = 0.0,
    json: JsonFile = None,
) -> None:
    """Play a load trace against a policy, on a plant that exists only in numbers."""
    from kapellmeister.experiments.options import SimulateOptions
    from kapellmeister.experiments.simulate import print_report
    from kapellmeister.experiments.simulate import simulate as simulated
    from kapellmeister.terminal.progress import progress

    check_writable("--json", json)
    options = SimulateOptions(
        trace=trace,
        policy=policy,
        seed=seed,
        peak_streams=peak_streams,
        last_days=days,
        faults_per_day=faults_per_day,
        telemetry_delay=telemetry_delay,
        telemetry_loss=telemetry_loss,
        **play,
    )
    with prints_aside():
        report = simulated(options, progress).report
    print_report(report, Console())
    write_json(json, report)

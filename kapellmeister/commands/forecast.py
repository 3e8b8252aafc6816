"""`kapellmeister forecast`: forecasters held against what then came."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kapellmeister.commands.options import (
    Dask,
    JsonFile,
    check_writable,
    names,
    prints_aside,
    write_json,
)

app = typer.Typer()

TraceNames = Annotated[
    str,
    typer.Option(
        "--trace", "--traces", help="CSV files, folders, journals or generators, comma-separated."
    ),
]
Horizon = Annotated[
    int, typer.Option(help="How far ahead, in samples of the trace.", min=1, max=1000)
]
ModelNames = Annotated[
    str | None, typer.Option(help="By name or path/to/file.py:Class, comma-separated; all.")
]
Origins = Annotated[
    int, typer.Option(help="Moments to forecast at, in the second half.", min=1, max=10_000)
]
Peers = Annotated[bool, typer.Option("--peers", help="And those of statsforecast (extra: bench).")]
Picture = Annotated[Path | None, typer.Option(help="Draw it: .html or .png.", metavar="FILE")]


@app.command(epilog="Example: kapellmeister forecast --trace diurnal:1d --models ensemble,ridge")
def forecast(
    trace: TraceNames,
    horizon: Horizon = 60,
    models: ModelNames = None,
    origins: Origins = 20,
    peers: Peers = False,
    dask: Dask = None,
    picture: Picture = None,
    json: JsonFile = None,
) -> None:
    """Back-test forecasters on recorded loads: what they said against what then came."""
    from kapellmeister.experiments.forecast import ForecastOptions, print_report
    from kapellmeister.experiments.forecast import forecast as play
    from kapellmeister.experiments.forecast_picture import check_picture, write_picture
    from kapellmeister.terminal.progress import progress

    if picture is not None:
        check_picture(picture)
    for option, path in (("--json", json), ("--picture", picture)):
        check_writable(option, path)
    named = names(models)
    options = ForecastOptions(trace, named, horizon, origins, peers, dask)
    with prints_aside():
        result = play(options, progress)
    print_report(result.report, Console())
    write_json(json, result.report)
    if picture is not None:
        write_picture(result, picture)
    if named and all(result.report.models[name].error is not None for name in named):
        raise typer.Exit(2)

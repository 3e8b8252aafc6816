"""`kapellmeister compare`: policies on traces, side by side and against the oracle."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from kapellmeister.commands.options import (
    Dask,
    JsonFile,
    check_writable,
    contradiction,
    prints_aside,
    say,
    write_json,
)
from kapellmeister.commands.play_options import Play, plays

if TYPE_CHECKING:
    from kapellmeister.experiments.options import CompareOptions

app = typer.Typer()
COMPARED_DAYS, QUICK_DAYS = 14.0, 3.0


class Part(StrEnum):
    """Parts of a trace, one after the other in time."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


TraceNames = Annotated[
    str, typer.Option(help="CSV files, folders of them or generators, comma-separated.")
]
PolicyNames = Annotated[
    str, typer.Option(help="By name or path/to/file.py:Class, comma-separated.")
]
Seeds = Annotated[int, typer.Option(help="Loads of each trace.", min=1, max=1000)]
LastDays = Annotated[
    float | None, typer.Option(help="Only the last days of each trace; 14.", min=0.01)
]
Quick = Annotated[bool, typer.Option("--quick", help="Only the last 3 days, instead of --days.")]
OnePart = Annotated[Part | None, typer.Option(help="Only that part of each trace: 60, 20, 20 %.")]
Sweep = Annotated[bool, typer.Option("--sweep", help="Vary each policy's principal constants.")]
PeakStreams = Annotated[
    int | None, typer.Option(help="Streams at each trace's peak.", min=1, max=1_000_000)
]
Jobs = Annotated[int | None, typer.Option(help="Processes; all cores.", min=1)]
Cache = Annotated[
    Path | None,
    typer.Option("--resume", help="Keep finished jobs here, and go on.", metavar="DIR"),
]
PageFile = Annotated[
    Path | None, typer.Option(help="Write one page for a browser.", metavar="FILE.html")
]
RowsFolder = Annotated[
    Path | None, typer.Option(help="Write the rows of every interval.", metavar="DIR")
]


@app.command(epilog="Example: kapellmeister compare --traces diurnal,burst --policies hpa,static")
@plays
def compare(
    traces: TraceNames,
    play: Play,
    policies: PolicyNames = "conductor,hpa,target_tracking,static",
    seeds: Seeds = 1,
    days: LastDays = None,
    quick: Quick = False,
    part: OnePart = None,
    sweep: Sweep = False,
    peak_streams: PeakStreams = 2000,
    jobs: Jobs = None,
    dask: Dask = None,
    cache: Cache = None,
    report: PageFile = None,
    raw: RowsFolder = None,
    json: JsonFile = None,
) -> None:
    """Play several policies on several traces, and hold them against the oracle."""
    from kapellmeister.experiments.options import CompareOptions

    if quick and days is not None:
        raise contradiction("--quick", "--days")
    for option, path in (("--json", json), ("--report", report)):
        check_writable(option, path)
    options = CompareOptions(
        traces=traces,
        policies=policies,
        seeds=seeds,
        last_days=QUICK_DAYS if quick else days or COMPARED_DAYS,
        part=None if part is None else part.value,
        sweep=sweep,
        peak_streams=peak_streams,
        jobs=jobs,
        cache=cache,
        **play,
        dask=dask,
    )
    _compare(options, report, raw, json)


def _compare(
    options: CompareOptions, page: Path | None, raw: Path | None, json: Path | None
) -> None:
    """Print the figures, and write what was asked for beside them."""
    from kapellmeister.experiments.compare import compare as compared
    from kapellmeister.experiments.compare import print_report, rows_folder, write_page
    from kapellmeister.terminal.progress import progress

    console = Console(file=sys.stdout)
    with rows_folder(page, raw) as rows, prints_aside():
        figures = compared(options, rows, say, progress)
        print_report(figures, console)
        write_json(json, figures)
        if page is not None and rows is not None:
            write_page(figures, rows, page, progress)

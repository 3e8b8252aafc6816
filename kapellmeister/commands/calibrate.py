"""`kapellmeister calibrate`: the executors of this machine, measured and fitted."""

from __future__ import annotations

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
    prints_aside,
    write_json,
)

app = typer.Typer()


class MeasuredPlant(StrEnum):
    """Plants that can be calibrated."""

    BUILTIN = "builtin"
    JACK = "jack"


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
    from kapellmeister.calibration.calibrate import CalibrateOptions
    from kapellmeister.calibration.calibrate import calibrate as measure
    from kapellmeister.calibration.report import print_report
    from kapellmeister.terminal.progress import progress
    from simulators.calibration.pipeline_file import write_calibration

    for option, path in (("--json", json), ("--out", out)):
        check_writable(option, path)
    options = CalibrateOptions(plant.value, workload, seconds)
    with prints_aside():
        found = measure(options, load_config(config), progress)
    write_json(json, found.report)
    if out is not None:
        write_calibration(found.calibration, out)
    print_report(found.report, Console())

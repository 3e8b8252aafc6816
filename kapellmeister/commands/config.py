"""`kapellmeister config`: the configuration printed, checked or explained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.config.config import load_config
from kapellmeister.commands.options import ConfigFile, prints_aside

app = typer.Typer()


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
    from kapellmeister.explaining.configuration import check_config, explain_config, print_config

    if check is not None:
        with prints_aside():
            said = check_config(check)
        typer.echo(said)
    elif explain is not None:
        typer.echo(explain_config(explain))
    else:
        typer.echo(print_config(load_config(config)))

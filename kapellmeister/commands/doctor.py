"""`kapellmeister doctor`: what this machine can be asked and made to do."""

from __future__ import annotations

import typer
from rich.console import Console

from kapellmeister.commands.options import JsonFile, check_writable, write_json

app = typer.Typer()


@app.command(epilog="Example: kapellmeister doctor")
def doctor(json: JsonFile = None) -> None:
    """Say what can be sensed and turned on this machine, and how to enable the rest."""
    from kapellmeister.machine.doctor import doctor as examine
    from kapellmeister.machine.doctor import print_report

    check_writable("--json", json)
    report = examine()
    write_json(json, report)
    print_report(report, Console())

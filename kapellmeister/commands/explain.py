"""`kapellmeister explain`: what was decided, and what a shadow would have done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from controller.errors import ConfigurationError
from kapellmeister.commands.options import JsonFile, StateDir, check_writable, write_json

app = typer.Typer()


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
    check_writable("--json", json, state_dir)
    if shadow_report is not None:
        _explain_shadow(shadow_report, run, last, state_dir, json)
        return
    from controller.journal.state_directory import StateDirectory
    from kapellmeister.explaining.explain import explain as explain_journal
    from kapellmeister.explaining.explanation_text import print_explanation

    explanation = explain_journal(StateDirectory(state_dir).journal_path, run, last)
    write_json(json, explanation)
    print_explanation(explanation, Console())


def _explain_shadow(
    duration: str, run: int | None, last: int | None, state_dir: Path | None, json: Path | None
) -> None:
    from controller.journal.state_directory import StateDirectory
    from kapellmeister.explaining.shadow_report import shadow_report
    from kapellmeister.explaining.shadow_report_text import print_shadow_report
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

"""`kapellmeister pause`, `resume` and `restore`: steer a run from another terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from kapellmeister.commands.options import OneKnob, StateDir

app = typer.Typer()


@app.command(epilog="Example: kapellmeister pause --knob nodes --for 2h")
def pause(
    knob: OneKnob = None,
    shrink_only: Annotated[bool, typer.Option(help="Growing stays allowed.")] = False,
    duration: Annotated[
        str | None, typer.Option("--for", help="For how long: 90s, 15m, 2h, 1d.")
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Tell the running controller to leave its knobs alone."""
    from kapellmeister.running import steering

    until_s = steering.until_s(duration)
    typer.echo(steering.pause(knob, state_dir, shrink_only=shrink_only, until_s=until_s))


@app.command(epilog="Example: kapellmeister resume")
def resume(knob: OneKnob = None, state_dir: StateDir = None) -> None:
    """Let a paused controller act again, from the settings then in force."""
    from kapellmeister.running import steering

    typer.echo(steering.resume(knob, state_dir))


@app.command(epilog="Example: kapellmeister restore --knob thread_classes")
def restore(knob: OneKnob = None, state_dir: StateDir = None) -> None:
    """Restore what the controller found, and leave it so until `resume`."""
    from kapellmeister.running import steering

    typer.echo(steering.restore(knob, state_dir))

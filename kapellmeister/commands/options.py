"""Options that commands share, and the checks and the writing of results that go with them."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer
from pydantic import BaseModel

from controller.errors import ConfigurationError
from controller.linux.os_errors import explained, refused_write

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file (TOML).", metavar="FILE")
]
StateDir = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Where the journal lies.", metavar="DIR"),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the result here.", metavar="FILE")
]
OneKnob = Annotated[str | None, typer.Option(help="Only this knob.")]
NamedPlugIn = Annotated[str, typer.Option(help="A name, or path/to/file.py:Class.")]

Dask = Annotated[
    str | None,
    typer.Option(
        help="Play on the workers of this Dask scheduler, or local (extra: dask).",
        metavar="ADDRESS",
    ),
]


OTHER = "name another"
"""Remedy where a result cannot be written to the file that was named."""


def prints_aside() -> contextlib.redirect_stdout[TextIO]:
    """Send to stderr what plug-ins print meanwhile: stdout is for results."""
    return contextlib.redirect_stdout(sys.stderr)


def say(message: str) -> None:
    """A line beside the results."""
    print(f"kapellmeister: {message}", file=sys.stderr)


def names(text: str | None) -> tuple[str, ...] | None:
    """Names that were given with commas between."""
    return None if text is None else tuple(each.strip() for each in text.split(","))


def contradiction(option: str, other: str) -> ConfigurationError:
    """Two options that cannot both be meant."""
    why = f"it says nothing beside {other}"
    return ConfigurationError("command line", option, why, "give one of the two")


def check_writable(option: str, path: Path | None, state_dir: Path | None = None) -> None:
    """Find out before a minute of work that its result has nowhere to go, or would do harm.

    Raises ConfigurationError, also for a file of our own in `state_dir`.
    """
    if path is None:
        return
    from kapellmeister.running.own_files import own_file

    if (which := own_file(path, state_dir)) is not None:
        raise ConfigurationError("command line", f"{option} {path}", f"it is {which}", OTHER)
    try:
        if path.is_fifo():  # which is opened once, by whoever writes
            return
        is_new = not path.exists()
        path.open("a").close()
        refused = refused_write(path) if path.is_file() else None
        if is_new:
            path.resolve().unlink()  # and not the link that may lead there
    except OSError as error:
        raise _unwritable(option, path, error) from error
    if refused is not None:
        raise _unwritable(option, path, refused)


def _unwritable(option: str, path: Path, error: OSError) -> ConfigurationError:
    why, remedy = explained(error, path, OTHER)
    return ConfigurationError("command line", f"{option} {path}", why, remedy)


def write_json(path: Path | None, figures: BaseModel) -> None:
    """Write a result, where that was asked for. Raises ConfigurationError where it cannot be."""
    if path is None:
        return
    try:
        path.write_text(figures.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable("--json", path, error) from error


def rewrite_json(path: Path | None, figures: BaseModel, *, is_last: bool) -> None:
    """Put a result in place of an earlier one, which stays whole until then.

    What is no file, such as a pipe, has the last alone. Raises ConfigurationError.
    """
    if path is None or (path.exists() and not path.is_file()):
        write_json(path if is_last else None, figures)
        return
    beside = path.with_name(f"{path.name}.part")
    write_json(beside, figures)
    try:
        beside.replace(path)
    except OSError as error:
        raise _unwritable("--json", path, error) from error

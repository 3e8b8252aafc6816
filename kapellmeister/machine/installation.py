"""The installation: libraries that load, the state directory, and import names."""

from __future__ import annotations

import importlib
import os
from importlib import metadata
from pathlib import Path

from controller.errors import JournalError
from controller.journal.state_directory import StateDirectory
from kapellmeister.machine.finding import Finding, Status, note


def library(name: str) -> Finding:
    """Load a library: the Python part may be there without the native one that it needs."""
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - a native library may fail in any way to load
        remedy = f"pip install --force-reinstall {name}"
        return Finding(name=name, status=Status.ABSENT, found=str(error), remedy=remedy)
    return Finding(name=name, status=Status.WORKS, found=metadata.version(name))


def default_state_directory() -> Finding:
    """The state directory that is used where none is named."""
    try:
        return state_directory(StateDirectory())
    except JournalError:
        found, remedy = "this user has no home", "set HOME, or choose a --state-dir"
        return Finding(name="state directory", status=Status.REFUSED, found=found, remedy=remedy)


def state_directory(directory: StateDirectory) -> Finding:
    """A state directory: who uses it, and whether it may be written to."""
    name, path, holder = "state directory", directory.path, directory.holder()
    existing = next(each for each in (path, *path.parents) if os.access(each, os.F_OK))
    if holder is not None:
        return note(name, f"{path}: a controller (process {holder}) runs here")
    if os.access(existing, os.W_OK | os.X_OK):
        return Finding(name=name, status=Status.WORKS, found=str(path))
    found = f"{path}: {existing} is not writable"
    return Finding(name=name, status=Status.REFUSED, found=found, remedy="choose a --state-dir")


def import_name(name: str) -> Finding:
    """Whether an import name is ours alone: another package may own so common a word."""
    home = Path(__file__).resolve().parents[2]
    imported = Path(importlib.import_module(name).__file__ or "").resolve().parents[1]
    rivals = sorted(set(metadata.packages_distributions().get(name, ())) - {"kapellmeister"})
    title = f"import {name}"
    if imported == home and not rivals:
        return Finding(name=title, status=Status.WORKS, found=f"ours, in {home}")
    found = f"comes from {imported}" if imported != home else f"claimed by {', '.join(rivals)} too"
    remedy = "install kapellmeister into a virtual environment of its own"
    return Finding(name=title, status=Status.REFUSED, found=found, remedy=remedy)

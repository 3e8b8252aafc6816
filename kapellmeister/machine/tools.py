"""Programs and packages of others: where they are, which version, and what they answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

ANSWER_S = 10.0
"""Time, s, in which a program has to answer; the network may be asked on the way."""


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The version of each package that is installed, by its name."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def at_least(version: str, least: tuple[int, ...]) -> bool:
    """Whether a version's leading numbers reach those."""
    numbers = [int(part) if part.isdigit() else 0 for part in version.split(".")]
    return tuple(numbers) >= least


def program(name: str) -> str | None:
    """Where a program is: beside our interpreter, as wheels put theirs, or on the path."""
    ours = str(Path(sys.executable).parent)
    return shutil.which(name, path=os.pathsep.join((ours, os.environ.get("PATH", ""))))


def answer(*command: str) -> tuple[bool, str]:
    """Whether a program does well, and what it prints: its error where it does not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S)
    except subprocess.TimeoutExpired:
        return False, f"it does not answer within {ANSWER_S:.0f} s"
    except OSError as error:
        return False, str(error)
    return done.returncode == 0, (done.stdout if done.returncode == 0 else done.stderr).strip()

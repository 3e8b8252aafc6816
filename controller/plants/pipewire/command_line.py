"""The command line tools of PipeWire: which are here, of what version, and how they are called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 2.0
"""Time that a tool may take, s: it never ends where it waits for a server that stands still."""
REMEDY = "install PipeWire's tools (the package pipewire-bin, often)"
TOP_TELLS_FROM = (0, 3, 79)
"""First version whose pw-top prints to others than a terminal."""
PLACES = ("PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR")
"""Environment variables that say where the server is."""


def environment() -> dict[str, str]:
    """Our environment, with numbers written with points."""
    return {**os.environ, "LC_ALL": "C"}


def missing_tool() -> str | None:
    """The first tool that is needed and not installed."""
    tools = ("pw-dump", "pw-metadata", counting_tool(version()))
    return next((tool for tool in tools if shutil.which(tool) is None), None)


def version() -> tuple[int, ...]:
    """The version of the tools, such as (1, 0, 5); (0,) where they do not tell."""
    said = _output(("pw-dump", "--version"))
    found = re.search(r"Linked with libpipewire (\d+(?:\.\d+)*)", said)
    return tuple(map(int, found[1].split("."))) if found else (0,)


def counting_tool(of_version: tuple[int, ...]) -> str:
    """The tool that counts cycles in that version."""
    return "pw-top" if of_version >= TOP_TELLS_FROM else "pw-profiler"


def answers() -> bool:
    """Whether a server answers where the environment says that one is."""
    return run(("pw-metadata", "-n", "settings", "0")) is None


def forcing(quantum: int) -> tuple[str, ...]:
    """The command that makes every driver of the server play that quantum; 0 lets them choose.

    Wherever it is run, it finds the same server.
    """
    setting = ("pw-metadata", "-n", "settings", "0", "clock.force-quantum", str(quantum))
    return ("env", *places(), *setting)


def places() -> tuple[str, ...]:
    """Places of the server, as NAME=VALUE for `env`."""
    return tuple(f"{name}={os.environ[name]}" for name in PLACES if name in os.environ)


def socket_path(name: str) -> Path:
    """Path of the socket of the server of this name."""
    folders = (os.environ.get(each) for each in ("PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR"))
    return Path(next(filter(None, folders), ""), name)


def dump() -> bytes:
    """The server's objects, as pw-dump prints them; empty where there is no server.

    Raises TimeoutExpired where one stands still.
    """
    return _run(("pw-dump",)).stdout


def run(command: Sequence[str]) -> str | None:
    """Run a command to its end; None where that went well, else why not."""
    try:
        done = _run(command)
    except subprocess.TimeoutExpired:
        return "the server does not answer"
    except OSError as error:
        return error.strerror or str(error)
    if done.returncode == 0:
        return None
    return done.stderr.decode(errors="replace").strip() or f"status {done.returncode}"


def _output(command: Sequence[str]) -> str:
    try:
        return _run(command).stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        env=environment(),
        check=False,
    )

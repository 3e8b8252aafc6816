"""Turns a knob of a service, by HTTP or by a command."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

from controller.config.remote import PLACE, KnobSection, RemoteSection
from controller.linux.os_errors import explained
from controller.plants.remote.http import HttpClient, RequestError, plain_line
from policies.knobs import OURS, KnobValue

Turn = Callable[[KnobValue], str]
"""A function that sets one knob, and returns the answer. Raises RequestError."""


def turns(section: RemoteSection, client: HttpClient) -> dict[str, Turn]:
    """How to turn each knob that the configuration leaves to us, by name."""
    return {
        name: by_command(each, section.timeout_s)
        if each.command
        else by_http(client, section.control_url, name)
        for name, each in section.knobs.items()
        if each.owner == OURS
    }


def by_http(client: HttpClient, control_url: str, knob: str) -> Turn:
    """PUT {"value": n} to knobs/NAME below an address."""
    url = f"{control_url.rstrip('/')}/knobs/{knob}"
    return lambda value: client.put(url, {"value": value}).text


def by_command(knob: KnobSection, timeout_s: float) -> Turn:
    """Run a program, without a shell; all that it starts ends with it once its time is up."""

    def turn(value: KnobValue) -> str:
        command = [each.replace(PLACE, str(value)) for each in knob.command]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            why = "; ".join(explained(error, command[0], "name another program"))
            raise RequestError(f"{command[0]}: {why}", passing=False) from error
        with process:
            return _output(process, command[0], timeout_s)

    return turn


def _output(process: subprocess.Popen[str], name: str, timeout_s: float) -> str:
    try:
        output, complaint = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        why = f"{name}: not done within {timeout_s:g} s"
        raise RequestError(why, uncertain=True) from None
    if process.returncode:
        lines = complaint.strip().splitlines()
        told = f": {plain_line(lines[-1])}" if lines else ""
        raise RequestError(f"{name} ended with {process.returncode}{told}")
    return output

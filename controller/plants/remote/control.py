"""Turns the knobs of a service beside the loop, by HTTP or by a command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillUnderWay
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import dataclass

from controller.config.remote import PLACE, KnobSection
from controller.linux.os_errors import explained
from controller.plants.remote.http import HttpClient, RequestError, plain_line
from policies.knobs import KnobValue
from policies.proposal import Refusal

Turn = Callable[[KnobValue], str]
"""Sets one knob, and returns what was answered. Raises RequestError."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request: why it failed, or what it interrupted, as far as that was told."""

    failure: RequestError | None = None
    disruption_ms: float | None = None


class Control:
    """One request a knob at a time: what is sent later is never overtaken by what came before."""

    def __init__(self, turns: Mapping[str, Turn], patience_s: float) -> None:
        self._turns = turns
        self._patience_s = patience_s
        self._pool = ThreadPoolExecutor(max(1, len(turns)), "control")
        self._under_way: dict[str, tuple[KnobValue, Future[Outcome]]] = {}

    def turn(self, knob: str, value: KnobValue) -> Refusal | None:
        """Ask for a value; None where that was taken, or may have been: that will be seen."""
        before = self._under_way.get(knob)
        if before is not None and not before[1].done():
            why = f"the request for {before[0]} is still under way"
            return Refusal(knob, why, passing=True)
        future = self._pool.submit(_outcome, self._turns[knob], value)
        self._under_way[knob] = value, future
        try:
            outcome = future.result(self._patience_s)
        except StillUnderWay:
            return None
        if outcome.failure is None or outcome.failure.uncertain:
            return None
        del self._under_way[knob]
        return Refusal(knob, str(outcome.failure), passing=outcome.failure.passing)

    def ended(self) -> Iterator[tuple[str, KnobValue, Outcome]]:
        """What came meanwhile of requests that were taken, each once."""
        for knob, (value, future) in [*self._under_way.items()]:
            if future.done():
                del self._under_way[knob]
                yield knob, value, future.result()

    def wait(self, patience_s: float) -> None:
        """Let all requests end, for so long."""
        wait_for([future for _, future in self._under_way.values()], patience_s)

    def finish(self, values: Mapping[str, KnobValue], patience_s: float) -> Mapping[str, str]:
        """Turn these last of all, after requests under way; why some may not have been heard."""
        self.wait(patience_s)
        refusals = {knob: self.turn(knob, value) for knob, value in values.items()}
        self.wait(patience_s)
        self._pool.shutdown(cancel_futures=True)
        failed = {
            knob: str(outcome.failure)
            for knob, _, outcome in self.ended()
            if knob in values and outcome.failure is not None
        }
        return failed | {knob: each.reason for knob, each in refusals.items() if each is not None}


def by_http(client: HttpClient, control_url: str, knob: str) -> Turn:
    """PUT {"value": n} to knobs/NAME below an address."""
    url = f"{control_url.rstrip('/')}/knobs/{knob}"
    return lambda value: client.put(url, {"value": value}).text


def by_command(knob: KnobSection, timeout_s: float) -> Turn:
    """Run a program, without a shell; what it starts ends with it once its time is up."""

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


def _outcome(turn: Turn, value: KnobValue) -> Outcome:
    try:
        return Outcome(disruption_ms=_disruption_ms(turn(value)))
    except RequestError as error:
        return Outcome(failure=error)


def _disruption_ms(answer: str) -> float | None:
    """What the change interrupted, where the answer says so as `disruption_ms`."""
    found = re.search(r'"disruption_ms"\s*:\s*(\d+(?:\.\d+)?)', answer)
    return float(found[1]) if found else None

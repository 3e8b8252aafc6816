"""Requests for values of knobs, made beside the loop, which never waits long for an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillUnderWay
from concurrent.futures import wait as wait_for
from dataclasses import dataclass

from controller.plants.remote.http import RequestError
from controller.plants.remote.turning import Turn
from policies.knobs import KnobValue
from policies.proposal import Refusal


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a request: why it failed, or how long it interrupted, where that was told."""

    failure: RequestError | None = None
    disruption_ms: float | None = None


class KnobRequests:
    """Requests, one a knob at a time: a later one is never overtaken by an earlier one."""

    def __init__(self, turns: Mapping[str, Turn], patience_s: float) -> None:
        self._turns = turns
        self._patience_s = patience_s
        self._pool = ThreadPoolExecutor(max(1, len(turns)), "control")
        self._under_way: dict[str, tuple[KnobValue, Future[Outcome]]] = {}

    def turn(self, knob: str, value: KnobValue) -> Refusal | None:
        """Ask for a value; None where the request was taken, or may have been, as will be seen."""
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
        """The outcomes of taken requests that have ended meanwhile, each once."""
        for knob, (value, future) in [*self._under_way.items()]:
            if future.done():
                del self._under_way[knob]
                yield knob, value, future.result()

    def wait(self, patience_s: float) -> None:
        """Wait for all requests to end, for `patience_s` at most."""
        wait_for([future for _, future in self._under_way.values()], patience_s)

    def finish(self, values: Mapping[str, KnobValue], patience_s: float) -> Mapping[str, str]:
        """Turn these last of all, after requests under way; why some may have failed, by knob."""
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


def _outcome(turn: Turn, value: KnobValue) -> Outcome:
    try:
        return Outcome(disruption_ms=_disruption_ms(turn(value)))
    except RequestError as error:
        return Outcome(failure=error)


def _disruption_ms(answer: str) -> float | None:
    """How long the change interrupted the service, where the answer has `disruption_ms`."""
    found = re.search(r'"disruption_ms"\s*:\s*(\d+(?:\.\d+)?)', answer)
    return float(found[1]) if found else None

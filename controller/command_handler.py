"""Doing what a person asks of a running controller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from controller.actuation import Actuation
from controller.commands import UNKNOWN_KNOB, Command, Pause, Restore, Resume
from controller.guard.guard import Guard
from controller.plants.plant import Plant
from controller.verification import Verifier
from policies.knobs import Direction
from policies.proposal import Refusal, Verification


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a command in one line, the evaluations it ended, and what the plant refused."""

    answer: str
    verifications: tuple[Verification, ...] = ()
    refusals: tuple[Refusal, ...] = ()


class CommandHandler:
    """A person's word goes before the policy's, and survives a restart in the guard's state."""

    def __init__(
        self, plant: Plant, guard: Guard, verifier: Verifier, actuation: Actuation
    ) -> None:
        self._plant = plant
        self._guard = guard
        self._verifier = verifier
        self._actuation = actuation

    def handle(self, command: Command, time_s: float) -> Outcome:
        """Do what a command asks; a knob that does not exist is answered with those that do."""
        known = tuple(self._plant.knobs())
        if command.knob is not None and command.knob not in known:
            names = ", ".join(known) or "none"
            return Outcome(f"{UNKNOWN_KNOB} {command.knob}; there are: {names}")
        match command:
            case Pause():
                return self._pause(command, time_s)
            case Resume(knob):
                self._guard.resume_knob(knob)
                return self._accept_as_found(known if knob is None else (knob,), time_s)
            case Restore(knob):
                return self._restore(known if knob is None else (knob,))

    def _pause(self, pause: Pause, time_s: float) -> Outcome:
        named = pause.knob or "all knobs"
        if pause.until_s is not None and pause.until_s <= time_s:
            return Outcome(f"{named}: not paused, since that time has passed")
        self._guard.pause(pause)
        what = "shrinking is paused" if pause.shrink_only else "paused"
        end = "until resumed"
        if pause.until_s is not None:
            left = timedelta(seconds=math.ceil(pause.until_s - time_s))
            end = f"for {left} (h:m:s)"
        return Outcome(f"{named}: {what} {end}")

    def _accept_as_found(self, knobs: Sequence[str], time_s: float) -> Outcome:
        """Resume; where another hand had moved a knob, its value is the starting point."""
        ended: list[Verification] = []
        words = []
        for knob in knobs:
            self._actuation.forget_limit(knob)
            if knob in self._actuation.drift(time_s):
                ended += self._verifier.abandon(knob, "the value another hand set was accepted")
                self._actuation.adopt(knob)
            paused = self._guard.paused(knob, Direction.SHRINK, time_s)
            all_paused = f"all knobs are {paused}; `kapellmeister resume` ends that"
            words.append(f"{knob}: " + (all_paused if paused else "resumed"))
        return Outcome("; ".join(words) or "this plant has no knobs", tuple(ended))

    def _restore(self, knobs: Sequence[str]) -> Outcome:
        """Restore and pause, for the policy would turn it right back."""
        ended: list[Verification] = []
        refusals = []
        words = []
        for knob in knobs:
            self._guard.pause(Pause(knob))
            refusal = self._plant.restore(knob)
            ended += self._verifier.abandon(knob, "the knob was restored on request")
            self._actuation.adopt(knob)
            refusals += [] if refusal is None else [refusal]
            done = "restored" if refusal is None else f"not restored ({refusal.reason})"
            words.append(f"{knob}: {done}, paused until resumed")
        return Outcome("; ".join(words) or "this plant has no knobs", tuple(ended), tuple(refusals))

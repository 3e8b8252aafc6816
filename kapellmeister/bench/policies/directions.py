"""Turns of knobs that nothing that was seen could justify."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.tick import Tick
from policies.knobs import Direction, Knob
from policies.observation import fresh
from policies.proposal import Change, Verdict

NO_STREAM = 0.5
"""Peak of the streams below which there is none at all."""


@dataclass(slots=True)
class Directions:
    """Counts them tick by tick, as an instrument of the loop.

    Wrong is a shrink while the load is missing, stale or invalid (`blind_shrinks`), and a growth
    while it is zero and so is the peak that is expected one time in a hundred (`idle_growths`).
    A rollback turns a knob too. `blind_ticks` and `idle_ticks` say how often there was occasion.
    """

    knobs: Mapping[str, Knob]
    ticks: int = 0
    actions: int = 0
    blind_ticks: int = 0
    idle_ticks: int = 0
    blind_shrinks: int = 0
    idle_growths: int = 0
    _changes: dict[str, Change] = field(default_factory=dict)

    def __call__(self, tick: Tick) -> None:
        """Take one tick."""
        blind, idle = fresh(tick.observation.load) is None, is_idle(tick)
        turned = [*self._admitted(tick), *self._rolled_back(tick)]
        self.ticks += 1
        self.actions += len(turned)
        self.blind_ticks += blind
        self.idle_ticks += idle
        self.blind_shrinks += blind * turned.count(Direction.SHRINK)
        self.idle_growths += idle * turned.count(Direction.GROW)

    def _admitted(self, tick: Tick) -> Iterator[Direction]:
        for change in tick.changes:
            self._changes[change.id] = change
            yield direction(self.knobs, change)

    def _rolled_back(self, tick: Tick) -> Iterator[Direction]:
        for judged in tick.verifications:
            change = self._changes.pop(judged.change_id, None)
            if change is not None and judged.verdict is Verdict.ROLLED_BACK:
                yield Direction(-direction(self.knobs, change))


def direction(knobs: Mapping[str, Knob], change: Change) -> Direction:
    """Which way a change turned its knob."""
    action = change.action
    return knobs[action.knob].direction(change.previous, action.value)


def is_idle(tick: Tick) -> bool:
    """Whether there is no load, and none is expected."""
    if fresh(tick.observation.load) != 0.0 or tick.forecast is None:
        return False
    return tick.forecast.peak_p99 < NO_STREAM

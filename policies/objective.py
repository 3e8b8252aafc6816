"""The objective: the figures that the controller is asked to keep."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CHANCE_PERIODS = 3.0
"""Late periods that happen by chance: at 0.1 % in 2 s, more come fewer than 1 time in 100."""


class Priority(StrEnum):
    """Which kind of work yields last under pressure."""

    AUDIO = "audio"
    VISUAL = "visual"
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Prices:
    """Costs of the plant, in any one currency."""

    node_hour: float = 1.0


@dataclass(frozen=True, slots=True)
class Objective:
    """The setpoint is the miss rate; a user sets it and tunes nothing else.

    `deadline_ms` is one period at the initial period size, counted from the capture of a
    block's last sample; it never grows because a knob was turned. `buffer_blocks` is the
    time from the deadline to play-out, in periods.
    """

    deadline_ms: float
    target_miss_rate: float = 0.001
    buffer_blocks: int = 1
    priority: Priority = Priority.AUDIO
    prices: Prices = Prices()

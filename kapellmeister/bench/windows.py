"""Stretches of time with and without the sidecar, and what happened in them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Figures(BaseModel):
    """A group of figures."""

    model_config = ConfigDict(frozen=True)


class Window(Figures):
    """Xruns that the server counted, and the time without sound that it does not count.

    `gap_ms` is what changes of the period interrupted.
    """

    seconds: float
    xruns: int
    gap_ms: float

    @property
    def xruns_per_s(self) -> float:
        """Xruns a second."""
        return self.xruns / self.seconds


class Attached(Figures):
    """What a sidecar did, and what happened meanwhile.

    `onset` is the time from its first tick to the window, in which it acts at first.
    `first_action_s` counts from the beginning of the first interval in which blocks were
    missed; None where nothing was done. `turns` are its changes, `bottlenecks` what was
    diagnosed in how many ticks, `period_frames` what the server played in the end.
    """

    onset: Window
    window: Window
    first_action_s: float | None
    turns: tuple[str, ...]
    bottlenecks: dict[str, int]
    period_frames: int
    cpu_share: float

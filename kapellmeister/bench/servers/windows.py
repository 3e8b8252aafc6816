"""Stretches of time beside a sidecar, and what happened in them."""

from __future__ import annotations

from simulators.figures import Figures


class Window(Figures):
    """Errors that the server counted, and the time without sound that it does not count.

    An error is an xrun of JACK, and a cycle of PipeWire that a node had not finished when the
    next began (ERR of pw-top). `gap_ms` is what changes of JACK's period interrupted.
    """

    seconds: float
    errors: int
    gap_ms: float

    @property
    def errors_per_s(self) -> float:
        """Errors a second."""
        return self.errors / self.seconds


class Attached(Figures):
    """A sidecar's doings, and what happened meanwhile.

    `onset` is the time from its first tick to the window, in which it acts at first.
    `first_action_s` counts from the beginning of the first interval in which blocks were
    missed; None where nothing was done. `turns` are its changes, `verdicts` what came of each by
    its own judgement, None where it was not judged; `bottlenecks` are what was diagnosed in how
    many ticks, `period_frames` what the server played in the end.
    """

    onset: Window
    window: Window
    first_action_s: float | None
    turns: tuple[str, ...]
    verdicts: tuple[str | None, ...]
    bottlenecks: dict[str, int]
    period_frames: int
    cpu_share: float

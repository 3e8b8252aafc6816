"""The state of a JACK server, and the cycles between two lines of its monitor."""

from __future__ import annotations

from dataclasses import dataclass

from controller.linux.process_id import ProcessId
from controller.plants.audio_server.state import FREEWHEELS, ServerState
from controller.plants.jack.freewheel import FRAMES_COUNTED
from policies.observation import BlockCounts

SLACK_CYCLES = 2
"""Cycles that may be about to begin when a line is written, or be made up for afterwards."""


@dataclass(frozen=True, slots=True)
class JackState(ServerState):
    """A line of the monitor; `frames` counts those of cycles that have begun.

    `server` is the server's process and its start.
    """

    server: str
    frames: int
    realtime: bool
    dsp_load: float
    xruns: int
    graph: int
    gap_ms: float
    freewheel: bool

    @property
    def position(self) -> int:
        """The first frame of the cycle."""
        return self.frames

    @property
    def identity(self) -> str:
        """The server's process and its start."""
        return self.server

    @property
    def no_deadline(self) -> str:
        """Why no cycle is due: an export plays as fast as it can."""
        return FREEWHEELS if self.freewheel else ""

    @property
    def freewheels(self) -> bool:
        """Whether an export is under way."""
        return self.freewheel

    @property
    def process(self) -> ProcessId | None:
        """The server's process; None where it cannot be seen from here."""
        pid, _, start_time = self.server.partition(":")
        return ProcessId(int(pid), int(start_time)) if start_time else None


def counts_between(before: JackState, now: JackState) -> tuple[BlockCounts, int]:
    """Cycles between two lines, those of them that were missed, and the xruns alone.

    A monitor that was started again counts xruns and gaps from the beginning. Of the time between
    two servers nothing is known.
    """
    if now.server != before.server:
        return BlockCounts(on_time=0), now.xruns
    again = now.xruns < before.xruns or now.gap_ms < before.gap_ms
    xruns = now.xruns if again else now.xruns - before.xruns
    gap_ms = now.gap_ms if again else now.gap_ms - before.gap_ms
    elapsed_ms = (now.time_ns - before.time_ns) / 1e6
    cycles = round(max(0.0, elapsed_ms) / now.period_ms)
    begun = (now.frames - before.frames) % FRAMES_COUNTED / now.period_frames
    absent = round(cycles - begun) if cycles - begun > SLACK_CYCLES else 0
    missed = min(cycles, max(absent, xruns + round(gap_ms / now.period_ms)))
    return BlockCounts(on_time=cycles - missed, lost=missed), xruns

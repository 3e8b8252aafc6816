"""The part that runs in a Dask worker: players for each session, until nobody asks any more."""

from __future__ import annotations

import pickle
import threading
from dataclasses import dataclass, field

from simulators.jobs.dask.environment import Environment
from simulators.jobs.outcome import Raised
from simulators.jobs.players import Players

IDLE_S = 60.0
"""Seconds without a job after which players end: their client may have been killed."""
REMEDY = "results could differ: have the same on all workers"


@dataclass(slots=True)
class Session:
    """The players of one experiment in this worker, and how many threads ask them for a job."""

    players: Players = field(default_factory=Players)
    asking: int = 0
    is_over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    timer: threading.Timer | None = None

    def play(self, packed: bytes) -> bytes:
        """The packed outcome of a packed job."""
        with self.lock:
            self.asking += 1
            players = self.players
        try:
            return players.play(packed)
        finally:
            self._rest()

    def end(self) -> None:
        """End what is played, and play no more."""
        with self.lock:
            self.is_over = True
            self._stop_timer()
            self.players.end()

    def _rest(self) -> None:
        with self.lock:
            self.asking -= 1
            self._stop_timer()
            if self.asking == 0 and not self.is_over:
                self.timer = threading.Timer(IDLE_S, self._end_idle)
                self.timer.daemon = True
                self.timer.start()

    def _end_idle(self) -> None:
        with self.lock:
            if self.asking == 0 and not self.is_over:
                self.players.end()
                self.players = Players()

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


_sessions: dict[str, Session] = {}


def play(session: str, environment: Environment, packed: bytes) -> bytes:
    """The packed outcome of a packed job: a task of Dask. It runs where all is the same only."""
    differs = environment.difference()
    if differs:
        return pickle.dumps(Raised(f"{differs}; {REMEDY}"))
    return _sessions.setdefault(session, Session()).play(packed)


def end(session: str) -> None:
    """Nobody waits for this session any more; what of it comes too late is not played."""
    _sessions.setdefault(session, Session()).end()

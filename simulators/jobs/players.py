"""The players of a process: one for each thread that asks."""

from __future__ import annotations

import pickle
import threading

from simulators.jobs.job import Ended
from simulators.jobs.player import Player


class Players:
    """Plays packed jobs for any number of threads, each on a process of its own."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._made: list[Player] = []
        self._lock = threading.Lock()
        self._ended = False

    def play(self, packed: bytes) -> bytes:
        """The packed outcome of a packed job; Ended once all players are."""
        player = self._player()
        return pickle.dumps(Ended()) if player is None else player.play(packed)

    def end(self) -> None:
        """End all players, whatever they are doing; from then on there are none."""
        with self._lock:
            self._ended = True
            made, self._made = self._made, []
        for player in made:
            player.end()

    def _player(self) -> Player | None:
        """The player of this thread, a new one where it has none."""
        mine: Player | None = getattr(self._own, "player", None)
        if mine is not None and mine.is_alive:
            return mine
        with self._lock:
            if self._ended:
                return None
            self._own.player = made = Player()
            self._made = [each for each in self._made if each.is_alive] + [made]
        return made

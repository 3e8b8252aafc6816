"""A process that plays one job after the other, apart from whoever asks for them.

A job's calls into anyone's code are broken off in time, which works in the main thread of a
process only; and what a job does to its process, such as ending it, it does to that one alone.
"""

from __future__ import annotations

import pickle

from controller.forecasting.fit_process import ONE_THREAD
from simulators.jobs.child import start_child
from simulators.jobs.job import Ended


class Player:
    """One such process; it ends with the thread that made it, at the latest.

    Libraries compute on one thread there, so that a result is the same wherever it is played.
    """

    def __init__(self) -> None:
        alone = dict.fromkeys(ONE_THREAD, "1")
        self._process, self._connection = start_child("simulators.jobs.player_process", alone)

    def play(self, packed: bytes) -> bytes:
        """The outcome of a packed job, packed as well; Ended where its process was."""
        try:
            self._connection.send_bytes(packed)
            return self._connection.recv_bytes()
        except (EOFError, OSError):
            self.end()
            return pickle.dumps(Ended())

    @property
    def is_alive(self) -> bool:
        """Whether it can play another job."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()

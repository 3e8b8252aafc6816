"""The inside of a player: jobs in, outcomes out, until nobody asks any more."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import traceback
from multiprocessing.connection import Connection

from controller.errors import KapellmeisterError
from controller.linux.prctl import name_process
from simulators.jobs.job import Job, unseen
from simulators.jobs.outcome import Raised


def main(connection: Connection) -> None:
    """Play what comes through the connection, for as long as it is open."""
    name_process("kapell-player")
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send_bytes(_played(connection.recv_bytes()))
    sys.stderr.flush()
    os._exit(0)  # whatever threads a plug-in has left


def _played(packed: bytes) -> bytes:
    try:
        job: Job[object] = pickle.loads(packed)
        return pickle.dumps(job.play(unseen))
    except KapellmeisterError as error:
        return pickle.dumps(Raised(str(error)))
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        traceback.print_exc()
        return pickle.dumps(Raised(f"raised {error!r}"))

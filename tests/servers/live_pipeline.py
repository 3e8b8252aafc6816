"""A built-in pipeline that plays as a process of its own, and the conversation with it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline_spec import SPEC

from controller.plants.builtin.connection import Connection
from controller.plants.builtin.pipeline_process import start_pipeline, stop_pipeline

PRIORITY = 60


class Running:
    """A started pipeline and the conversation with it."""

    def __init__(self, directory: Path, **changes: object) -> None:
        self.directory = directory
        self.process = start_pipeline(directory, SPEC.model_copy(update=changes))
        self.connection = Connection(directory, patience_s=2.0)

    def ask(self, do: str, **details: object) -> dict[str, Any]:
        reply = self.connection.ask(do, **details)
        assert reply is not None
        return reply

    def wait_for(self, holds: Callable[[dict[str, Any]], bool], patience_s: float = 10.0) -> Any:
        give_up_s = time.monotonic() + patience_s
        while not holds(reply := self.ask("observe")):
            assert time.monotonic() < give_up_s, f"in vain: {reply}"
            time.sleep(0.05)
        return reply

    def real_time(self) -> None:
        """Schedule it and its audio real-time where permitted, so that others count less."""
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        pids = self.ask("observe")["processes"].get("audio", [])
        with contextlib.suppress(PermissionError, ProcessLookupError):
            for pid in (self.process.pid, *pids):
                os.sched_setscheduler(pid, policy, os.sched_param(PRIORITY))

    def end(self) -> None:
        self.connection.close()
        if self.process.poll() is None:
            stop_pipeline(self.directory)
        self.process.wait(10.0)

"""Starts, finds and ends the process of the built-in pipeline."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from controller.errors import Interruption, PipelineStartError
from controller.linux.process_id import ProcessId, kill, lives
from controller.pipeline.files import LOG_NAME
from controller.pipeline.server import hold_lock, holder
from controller.pipeline.spec import PipelineSpec
from controller.plants.builtin.connection import Connection

STEP_S = 0.1
STEPS_OF_A_WARM_START = 40
SINGLE_THREADED = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""The pipeline forks, and a pool of threads would outlive that as a deadlock."""


def start_pipeline(
    directory: Path,
    spec: PipelineSpec,
    cancelled: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> subprocess.Popen[str]:
    """Start the pipeline in a session of its own, and wait until it plays or is `cancelled`.

    Raises PipelineStartError with the pipeline's own words where it cannot, and Interruption.
    """
    with (directory / LOG_NAME).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "controller.pipeline", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env={**SINGLE_THREADED, **os.environ},
        )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both pipes were asked for")
    with process.stdin as stdin:
        stdin.write(spec.model_dump_json())
    with process.stdout as stdout:
        if not _speaks(stdout, cancelled, say):
            process.kill()
            process.wait()
            raise Interruption("no sound was played")
        line = stdout.readline()
    answer = json.loads(line) if line else {"error": f"it ended at its start; see {log.name}"}
    if "error" in answer:
        process.wait()
        raise PipelineStartError(answer["error"])
    return process


def how_it_ended(process: subprocess.Popen[str], patience_s: float = 1.0) -> str:
    """The exit status of a pipeline that is gone, or the signal that ended it, in words."""
    try:
        status = process.wait(patience_s)
    except subprocess.TimeoutExpired:
        return "it hung up and has not ended"
    return f"exit status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"


def _speaks(stdout: IO[str], cancelled: Callable[[], bool], say: Callable[[str], None]) -> bool:
    """Wait for the pipeline's first words; False where somebody asked for an end meanwhile."""
    steps = 0
    while not select.select([stdout], [], [], STEP_S)[0]:
        steps += 1
        if cancelled():
            return False
        if steps == STEPS_OF_A_WARM_START:
            say("starting; the first start on a machine compiles its kernels, once")
    return True


def stop_pipeline(directory: Path, patience_s: float = 3.0) -> None:
    """End the pipeline in this directory, if one plays, and wait until every process has.

    One that does not obey within the patience is killed. Where the directory was deleted, none can
    be found there: see `end_process`.
    """
    if not directory.exists():
        return
    connection = Connection(directory, patience_s=1.0)
    with contextlib.suppress(ConnectionError):
        connection.ask("stop")
    connection.close()
    give_up_s = time.monotonic() + patience_s
    while (lock := hold_lock(directory)) is None:
        if time.monotonic() > give_up_s and (pipeline := holder(directory)) is not None:
            kill(pipeline)  # its children die with it
        time.sleep(0.02)
    os.close(lock)


def end_process(pipeline: ProcessId, patience_s: float = 3.0) -> None:
    """Wait until a pipeline that was told to stop has ended; it is killed after the patience."""
    give_up_s = time.monotonic() + patience_s
    while lives(pipeline):
        if time.monotonic() > give_up_s:
            kill(pipeline)
        time.sleep(0.02)


def running_pipeline(directory: Path) -> PipelineSpec | None:
    """The specification of a pipeline that plays on in this directory.

    None where none does, or one of another version, whose specification means nothing here.
    """
    connection = Connection(directory, patience_s=2.0)
    try:
        reply = connection.ask("hello")
    except ConnectionError:
        return None
    finally:
        connection.close()
    with contextlib.suppress(ValidationError):
        return None if reply is None else PipelineSpec.model_validate(reply["spec"])
    return None

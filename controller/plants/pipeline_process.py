"""Starts, finds and ends the process of the built-in pipeline."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from controller.errors import PipelineStartError, PlantError
from controller.pipeline.server import hold_lock
from controller.pipeline.spec import PipelineSpec
from controller.plants.connection import Connection

LOG_NAME = "pipeline.log"
SINGLE_THREADED = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""The pipeline forks, and a pool of threads would outlive that as a deadlock."""


def start_pipeline(directory: Path, spec: PipelineSpec) -> subprocess.Popen[str]:
    """Start the pipeline in a session of its own, and wait until it plays.

    Raises PipelineStartError with the pipeline's own words where it cannot.
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
        line = stdout.readline()
    answer = json.loads(line) if line else {"error": f"it ended at its start; see {LOG_NAME}"}
    if "error" in answer:
        process.wait()
        raise PipelineStartError(answer["error"])
    return process


def stop_pipeline(directory: Path, patience_s: float = 10.0) -> None:
    """End the pipeline in this directory, if one plays, and wait until every process has."""
    connection = Connection(directory, patience_s=2.0)
    with contextlib.suppress(ConnectionError):
        connection.ask("stop")
    connection.close()
    give_up_s = time.monotonic() + patience_s
    while (lock := hold_lock(directory)) is None:
        if time.monotonic() > give_up_s:
            remedy = "end the processes named km-pipeline by hand"
            raise PlantError("builtin", "a pipeline of an earlier run does not end", remedy)
        time.sleep(0.02)
    os.close(lock)


def running_pipeline(directory: Path) -> PipelineSpec | None:
    """The specification of a pipeline that plays on in this directory; None where none does."""
    connection = Connection(directory, patience_s=2.0)
    try:
        reply = connection.ask("hello")
    except ConnectionError:
        return None
    finally:
        connection.close()
    return None if reply is None else PipelineSpec.model_validate(reply["spec"])

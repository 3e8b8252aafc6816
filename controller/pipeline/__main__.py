"""Starts the pipeline: its specification on standard input, one line of answer on output.

The answer is `{"ready": PID}`, or `{"error": MESSAGE}` where a sound, a response set or a
trace cannot be used. After that the process is on its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

from controller.errors import KapellmeisterError
from controller.pipeline.pipeline import Pipeline
from controller.pipeline.spec import PipelineSpec
from controller.prctl import die_with_parent, name_process


def main() -> None:
    """Run a pipeline whose sockets and pictures lie in the directory named."""
    name_process("km-pipeline")
    die_with_parent(signal.SIGKILL)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a workload prints goes to the log
    spec = PipelineSpec.model_validate_json(sys.stdin.read())
    try:
        pipeline = Pipeline(spec, Path(sys.argv[1]))
    except (KapellmeisterError, OSError) as error:
        _say(answers, {"error": str(error)})
        sys.exit(2)
    with pipeline:
        pipeline.start()
        die_with_parent(0)  # from here on, sound outlives the controller
        _say(answers, {"ready": os.getpid()})
        pipeline.run()


def _say(answers: TextIO, line: dict[str, object]) -> None:
    print(json.dumps(line), file=answers, flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())


if __name__ == "__main__":
    main()

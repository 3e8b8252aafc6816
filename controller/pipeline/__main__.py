"""Starts the pipeline: its specification on standard input, one line of answer on output.

The answer is `{"ready": PID}`, or `{"error": MESSAGE}` where a sound, a response set or a
trace cannot be used. After that the process is on its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from controller.errors import KapellmeisterError
from controller.linux.os_errors import in_a_line
from controller.linux.prctl import die_with_parent, name_process
from controller.pipeline.spec import PipelineSpec

if TYPE_CHECKING:
    from controller.pipeline.pipeline import Pipeline


def main() -> None:
    """Run a pipeline whose sockets and pictures lie in the directory named."""
    name_process("km-pipeline")
    die_with_parent(signal.SIGKILL)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a workload prints goes to the log
    spec = PipelineSpec.model_validate_json(sys.stdin.read())
    with ExitStack() as stack:
        try:
            pipeline = stack.enter_context(_pipeline(spec, Path(sys.argv[1])))
            pipeline.start()
        except KapellmeisterError as error:
            _refuse(answers, str(error))
        except (OSError, RuntimeError) as error:
            _refuse(answers, in_a_line(error))
        die_with_parent(0)  # from here on, sound outlives the controller
        _say(answers, {"ready": os.getpid()})
        pipeline.run()


def _pipeline(spec: PipelineSpec, directory: Path) -> Pipeline:
    """Load the pipeline, at which the system may refuse something already, and make it."""
    from controller.pipeline.pipeline import Pipeline

    return Pipeline(spec, directory)


def _refuse(answers: TextIO, why: str) -> NoReturn:
    _say(answers, {"error": why})
    sys.exit(2)


def _say(answers: TextIO, line: dict[str, object]) -> None:
    print(json.dumps(line), file=answers, flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())


if __name__ == "__main__":
    main()

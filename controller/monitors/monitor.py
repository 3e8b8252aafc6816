"""The frame of every monitor: one JSON object a line, orders taken, and an end in time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from controller.linux.prctl import die_with_parent

Line = dict[str, object]


def report(lines: Generator[Line, None, None]) -> None:
    """Print the lines until they or the controller end; then end this process at once.

    Whatever libraries and tools print is discarded. A library that waits for its server does not
    notice the end of the controller: there the kernel ends this process.
    """
    die_with_parent(signal.SIGKILL)
    output = _own_output()
    with contextlib.suppress(BrokenPipeError), contextlib.closing(lines):
        for line in lines:
            output.write(json.dumps(line) + "\n")
            output.flush()
    os._exit(0)  # a client whose server is gone may never come back from closing


def orders(
    seconds: float, sources: Sequence[int] = (), ready: Callable[[int], None] = lambda _: None
) -> Iterator[list[str]]:
    """The words of each order that comes within `seconds`; `ready` takes other readable `sources`.

    Raises BrokenPipeError once the controller has ended.
    """
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0.0:
        for descriptor in select.select([0, *sources], [], [], left_s)[0]:
            if descriptor != 0:
                ready(descriptor)
                continue
            order = sys.stdin.readline().split()
            if not order:
                raise BrokenPipeError
            yield order


def _own_output() -> Any:
    """Our end of the pipe, taken before anybody else can write to it."""
    output = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return output

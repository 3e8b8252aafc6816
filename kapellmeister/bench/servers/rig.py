"""A sound server of our own that others play on, and who counts what it misses."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from controller.errors import PlantError
from controller.linux.prctl import dying_with_parent
from controller.monitors.link import MonitorLink
from kapellmeister.bench.servers.windows import Window

HOG = (sys.executable, "-c", "while True: pass")
PATIENCE_S = 20.0
SETTLING_S = 1.0


@dataclass(frozen=True, slots=True)
class Rig:
    """Who watches the server, and the environment in which it is found.

    `errors` is the monitor's name for what is missed; `onset_s` is allowed for the first action,
    and left out of the window that follows.
    """

    plant: str
    monitor: MonitorLink
    environment: dict[str, str]
    found_frames: int
    errors: str
    onset_s: float

    def line(self) -> dict[str, Any]:
        """The state of the server from now on. Raises PlantError where it is silent."""
        asked_ns = time.monotonic_ns()
        while lines := self.monitor.wait(PATIENCE_S):
            if _counted_ns(lines[-1]) > asked_ns:  # not one that waited, or speaks of before
                return lines[-1]
        raise PlantError(self.plant, *self.monitor.error)

    def window(self, seconds: float) -> Window:
        """Watch the seconds from now on."""
        before = self.line()
        time.sleep(seconds)
        now = self.line()
        return Window(
            seconds=(_counted_ns(now) - _counted_ns(before)) / 1e9,
            errors=now[self.errors] - before[self.errors],
            gap_ms=now.get("gap_ms", 0.0) - before.get("gap_ms", 0.0),
        )


OpenRig = Callable[[int], AbstractContextManager[Rig]]
"""Plays until the end of the block, beside so many hogs."""


@contextmanager
def program(
    command: tuple[str, ...], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block, in good order, and with this process at the latest."""
    process = subprocess.Popen(
        dying_with_parent(*command),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()


@contextmanager
def monitor(module: str, environment: Mapping[str, str]) -> Iterator[MonitorLink]:
    """A monitor of the server that is found in that environment."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        link = MonitorLink(module)
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        yield link
    finally:
        link.close()


def _counted_ns(line: Mapping[str, Any]) -> int:
    """The time up to which a line speaks, which may lie before that at which it was said."""
    return int(line.get("counted_until_ns", line["time_ns"]))

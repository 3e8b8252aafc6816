"""The cost of watching many threads of a program that others started."""

from __future__ import annotations

import subprocess
import sys

from controller.errors import PlantError
from controller.linux.prctl import dying_with_parent
from kapellmeister.bench.own_process import run_apart
from simulators.figures import Figures

THREADS = 200
WAKES_PER_S = 10
PROGRAM = f"""
import threading, time

def wake():
    while True:
        time.sleep({1 / WAKES_PER_S})

for _ in range({THREADS - 1}):
    threading.Thread(target=wake, daemon=True).start()
print("running", flush=True)
wake()
"""


class Watching(Figures):
    """Control of a program with so many threads: share of a processor, and time of a tick."""

    threads: int
    seconds: float
    cpu_share: float
    tick_ms_p99: float


def watch_many(seconds: float) -> Watching:
    """Attach to a program of 200 threads that wake now and then. Raises PlantError on failure."""
    command = dying_with_parent(sys.executable, "-c", PROGRAM)
    program = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        if program.stdout is None or not program.stdout.readline():
            raise PlantError("process", "the program did not start", "try again")
        options = ("--process", str(program.pid), "--act", "--duration", str(seconds))
        report = run_apart("process", *options)
    finally:
        program.kill()
        program.communicate()
    overhead = report.overhead
    return Watching(
        threads=THREADS,
        seconds=report.duration_s,
        cpu_share=overhead.cpu_share,
        tick_ms_p99=overhead.tick_ms_p99,
    )

"""What it costs to watch many threads of a program that others started."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from controller.errors import PlantError
from controller.linux.prctl import dying_with_parent
from kapellmeister.figures import Figures
from kapellmeister.running.report import RunReport

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
        report = _run(program.pid, seconds)
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


def _run(pid: int, seconds: float) -> RunReport:
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        options = ("--plant", "process", "--process", str(pid), "--act", "--no-live")
        files = ("--duration", str(seconds), "--json", str(figures), "--state-dir", folder)
        run = (sys.executable, "-m", "kapellmeister", "run", *options, *files)
        command = dying_with_parent(*run)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PlantError("process", done.stderr.strip(), "run `kapellmeister doctor`")
        return RunReport.model_validate_json(figures.read_text(encoding="utf-8"))

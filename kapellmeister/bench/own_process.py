"""A run of `kapellmeister` in a process and a state directory of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from controller.errors import PlantError
from controller.linux.prctl import dying_with_parent
from kapellmeister.running.report import RunReport


def run_apart(plant: str, *arguments: str) -> RunReport:
    """Run with these arguments, and read its figures. Raises PlantError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        run = (sys.executable, "-m", "kapellmeister", "run", "--no-live", "--plant", plant)
        files = ("--json", str(figures), "--state-dir", folder)
        command = dying_with_parent(*run, *arguments, *files)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            why = done.stderr.strip() or f"exit status {done.returncode}"
            raise PlantError(plant, why, "run `kapellmeister doctor`")
        return RunReport.model_validate_json(figures.read_text(encoding="utf-8"))

"""A process id that is used again harms nobody, on real processes and a real kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from reused_pids import CASES

from controller.linux.permissions import permitted

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
SCRIPT = Path(__file__).parents[1] / "servers" / "reused_pids.py"


@pytest.fixture
def namespace() -> tuple[str, ...]:
    """The command that runs another where process ids can be chosen."""
    chosen = "echo 1 > /proc/sys/kernel/ns_last_pid"
    try:
        done = subprocess.run((*NAMESPACE, "sh", "-c", chosen), capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if done.returncode != 0:
        pytest.skip(f"process ids cannot be chosen here: {done.stderr.strip()}")
    if not permitted().realtime:
        pytest.skip("real-time scheduling is refused here")
    return NAMESPACE


@pytest.mark.parametrize("case", CASES)
def test_a_program_that_has_the_process_id_of_another_is_left_alone(
    case: str, namespace: tuple[str, ...], tmp_path: Path
) -> None:
    command = (*namespace, sys.executable, str(SCRIPT), case, str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr

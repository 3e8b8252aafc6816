"""A state directory that is deleted, or replaced, in the middle of a run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_run import Run, awaits, moved, realtime, schedules
from player import HOG, PLAYER
from reused_pids import Programs

from controller.linux.permissions import permitted

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]


@pytest.fixture
def player() -> Iterator[int]:
    """A program that is kept from playing, until it is scheduled otherwise."""
    if not permitted().realtime:
        pytest.skip("real-time scheduling is refused here")
    commands = [PLAYER, *[HOG] * 4]
    started = [
        subprocess.Popen((sys.executable, "-c", each), stdout=subprocess.DEVNULL)
        for each in commands
    ]
    yield started[0].pid
    for each in started:
        each.kill()
        each.communicate()


@pytest.mark.parametrize("replaced", [False, True])
def test_control_goes_on_and_what_was_found_is_restored(
    player: int, tmp_path: Path, *, replaced: bool
) -> None:
    found = schedules(player)
    run = Run(Programs(), tmp_path, "--process", str(player), "--act", "--no-live")
    awaits(lambda: realtime(player), 40.0, "nothing was turned")
    shutil.rmtree(run.state)
    if replaced:
        run.state.mkdir()
        (run.state / "journal.sqlite3").touch()
    assert run.process.stdout is not None
    alarm = run.process.stdout.readline()
    assert "journal.sqlite3: it was deleted while a run goes on" in alarm
    os.kill(run.process.pid, 0)
    assert realtime(player)
    *summary, last = run.end(signal.SIGTERM).splitlines()
    assert run.process.returncode == 2
    assert alarm.strip() in last
    assert any("played" in line for line in summary)
    assert moved(found, schedules(player)) == {}
    assert run.figures()["unrecorded"] == alarm.strip().removeprefix("kapellmeister: ")


def test_sound_goes_on_to_its_end(tmp_path: Path) -> None:
    options = ("--streams", "4", "--duration", "6", "--no-live")
    run = Run(Programs(), tmp_path, *options, plant="builtin")
    run.awaits_ticks(2)
    shutil.rmtree(run.state)
    said = run.end()
    figures = run.figures()
    assert run.process.returncode == 2, said
    assert figures["duration_s"] >= 5.9
    assert figures["work_beside_sound"]["analysis"] > 0
    assert [line for line in said.splitlines() if "Traceback" in line] == []
    assert said.count("it was deleted while a run goes on") == 2
    assert not run.state.exists()
    assert not pipelines(run.state)


def test_a_pipeline_that_does_not_listen_is_ended_all_the_same(tmp_path: Path) -> None:
    options = ("--streams", "4", "--duration", "60", "--no-live")
    run = Run(Programs(), tmp_path, *options, plant="builtin")
    run.awaits_ticks(2)
    (pipeline,) = pipelines(run.state)
    shutil.rmtree(run.state)
    os.kill(pipeline, signal.SIGSTOP)
    said = run.end(signal.SIGTERM)
    assert run.process.returncode == 2, said
    assert not pipelines(run.state)


def pipelines(state: Path) -> list[int]:
    """The pipelines that play in a directory, without their children."""
    listed = subprocess.run(("ps", "-ww", "-eo", "pid,ppid,args"), capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    ours = [row for row in rows if "-m controller.pipeline" in row[2] and str(state) in row[2]]
    all_pids = {row[0] for row in ours}
    return [int(pid) for pid, parent, _ in ours if parent not in all_pids]

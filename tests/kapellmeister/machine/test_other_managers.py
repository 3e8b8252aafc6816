"""Programs that manage threads beside us are told of, in words and in the journal."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kapellmeister.machine import linux as kernel
from kapellmeister.machine.other_managers import OTHER_MANAGERS, ManagerWatch


class Clock:
    def __init__(self) -> None:
        self.time_s = 100.0

    def __call__(self) -> float:
        return self.time_s


def start(root: Path, pid: int, name: str) -> None:
    (root / f"proc/{pid}").mkdir(parents=True)
    (root / f"proc/{pid}/comm").write_text(f"{name[: kernel.COMMAND_NAME_LENGTH]}\n")


def test_each_manager_is_told_once_with_what_it_does(tmp_path: Path) -> None:
    said: list[str] = []
    clock = Clock()
    watch = ManagerWatch(said.append, tmp_path, clock)
    start(tmp_path, 7, "irqbalance")
    told = watch.warn()
    assert told == f"irqbalance runs too: it {OTHER_MANAGERS['irqbalance']}"
    assert said == [told]
    clock.time_s += 60.0
    assert watch.warn() is None


def test_one_that_starts_later_is_told_of_then_and_again_after_it_had_ended(tmp_path: Path) -> None:
    clock = Clock()
    watch = ManagerWatch(lambda _: None, tmp_path, clock)
    assert watch.warn() is None
    start(tmp_path, 7, "system76-scheduler")
    clock.time_s += 1.0
    assert watch.warn() is None, "it is looked for now and then only"
    clock.time_s += 5.0
    assert (watch.warn() or "").startswith("system76-scheduler runs too: it sets nice level")
    shutil.rmtree(tmp_path / "proc/7")
    clock.time_s += 5.0
    assert watch.warn() is None
    start(tmp_path, 8, "system76-scheduler")
    clock.time_s += 5.0
    assert (watch.warn() or "").startswith("system76-scheduler runs too")


@pytest.mark.parametrize("name", OTHER_MANAGERS)
def test_every_manager_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    start(tmp_path, 7, name)
    told = ManagerWatch(lambda _: None, tmp_path).warn()
    assert told == f"{name} runs too: it {OTHER_MANAGERS[name]}"


@contextmanager
def program(path: Path) -> Iterator[int]:
    """One that sleeps, under that name."""
    shutil.copy(shutil.which("sleep") or "", path)
    with subprocess.Popen([path, "60"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.live
@pytest.mark.parametrize("acts", [True, False])
def test_a_run_that_schedules_threads_names_managers_and_keeps_that(
    tmp_path: Path, acts: bool
) -> None:
    kapellmeister = [sys.executable, "-m", "kapellmeister"]
    state = ["--state-dir", str(tmp_path / "state")]
    with program(tmp_path / "player") as player, program(tmp_path / "gamemoded"):
        run = ["run", "--no-live", "--duration", "9", "--plant", "process", *state]
        run += ["--process", str(player), *(["--act"] if acts else [])]
        with subprocess.Popen(
            [*kapellmeister, *run], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            time.sleep(3.0)
            with program(tmp_path / "irqbalance"):
                output = running.communicate(timeout=60)[0]
        explain = [*kapellmeister, "explain", *state]
        journal = subprocess.run(explain, capture_output=True, text=True, check=True).stdout
    for name in ("gamemoded", "irqbalance"):
        assert (f"{name} runs too: it" in output) is acts
        assert (f"{name} runs too: it" in " ".join(journal.split())) is acts

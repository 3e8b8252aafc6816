"""`kapellmeister run` as a user meets it: real processes, real signals."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import taken_port

pytestmark = pytest.mark.live

KAPELLMEISTER = (sys.executable, "-m", "kapellmeister")


class Session:
    """Commands that share one state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started: list[subprocess.Popen[str]] = []

    def command(self, *arguments: str) -> list[str]:
        return [*KAPELLMEISTER, *arguments, "--state-dir", str(self.directory)]

    def do(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments)
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command("run", "--no-live", "--streams", "4", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=20)
        for pid in processes_in(self.directory):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    created = Session(tmp_path / "state")
    yield created
    created.end()


def processes_in(directory: Path) -> list[int]:
    """A pipeline that plays in this directory, and its children."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"controller.pipeline" in command and str(directory).encode() in command:
            found.append(int(folder.name))
    return found


def pipeline_in(directory: Path) -> int:
    """The process that owns all others of the pipeline in this directory."""
    names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in processes_in(directory)}
    (found,) = (pid for pid, name in names.items() if name == "km-pipeline")
    return found


def audio_workers(directory: Path) -> list[int]:
    """The workers of the pipeline that plays in this directory."""
    workers = []
    for pid in processes_in(directory):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text().startswith("km-audio"):
                workers.append(pid)
    return sorted(workers)


def policies(pids: list[int]) -> set[int]:
    return {os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK for pid in pids}


def wait_until(holds: Callable[[], Any], patience_s: float = 15.0) -> None:
    give_up_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < give_up_s, "waited in vain"
        time.sleep(0.05)


def realtime(session: Session) -> bool:
    pids = audio_workers(session.directory)
    return bool(pids) and policies(pids) == {os.SCHED_FIFO}


def real_time_is_permitted() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


needs_realtime = pytest.mark.skipif(
    not real_time_is_permitted(), reason="real-time scheduling is refused here"
)

ALWAYS_BREACHED = "[thresholds]\nwait = 0.0001\n"
"""Any start lateness is evidence, so that the conductor acts at once on a quiet machine too."""


@pytest.fixture
def eager(tmp_path: Path) -> Path:
    path = tmp_path / "eager.toml"
    path.write_text(ALWAYS_BREACHED, encoding="utf-8")
    return path


def test_a_run_ends_with_its_figures(session: Session, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = session.do("run", "--streams", "4", "--duration", "3", "--json", str(figures))
    assert done.returncode == 0, done.stderr
    report = json.loads(figures.read_text(encoding="utf-8"))
    blocks = report["blocks"]
    outcomes = sum(blocks[name] for name in ("on_time", "late", "concealed", "lost"))
    assert blocks["submitted"] == outcomes > 4 * 400
    assert report["overhead"]["ticks"] >= 2
    assert "blocks" in done.stdout
    assert processes_in(session.directory) == []


def test_ctrl_c_ends_with_the_summary(session: Session) -> None:
    run = session.start("--duration", "60")
    wait_until(lambda: audio_workers(session.directory))
    time.sleep(1.5)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=20)
    assert run.returncode == 0, output
    assert "submitted" in output
    assert processes_in(session.directory) == []


@needs_realtime
def test_a_terminated_controller_restores_what_it_touched(session: Session, eager: Path) -> None:
    run = session.start("--duration", "60", "--config", str(eager))
    wait_until(lambda: realtime(session))
    run.terminate()
    run.communicate(timeout=20)
    assert run.returncode == 0
    assert processes_in(session.directory) == []


@needs_realtime
def test_sound_outlives_a_killed_controller_and_the_next_start_goes_on(
    session: Session, eager: Path
) -> None:
    run = session.start("--duration", "60", "--config", str(eager))
    wait_until(lambda: realtime(session))
    workers = audio_workers(session.directory)
    run.kill()
    run.wait(10)
    wait_until(lambda: policies(workers) == {os.SCHED_OTHER}, patience_s=2.0)
    assert audio_workers(session.directory) == workers
    again = session.start("--duration", "60", "--config", str(eager))
    wait_until(lambda: realtime(session))
    assert audio_workers(session.directory) == workers
    again.send_signal(signal.SIGINT)
    output, _ = again.communicate(timeout=20)
    assert "taking it over" in output
    assert "going on from its last tick" in output


@needs_realtime
def test_restore_puts_back_what_was_found_until_resume(session: Session, eager: Path) -> None:
    session.start("--duration", "60", "--config", str(eager))
    wait_until(lambda: realtime(session))
    assert session.do("restore", "--knob", "thread_classes").returncode == 0
    assert policies(audio_workers(session.directory)) == {os.SCHED_OTHER}
    time.sleep(2.5)
    assert policies(audio_workers(session.directory)) == {os.SCHED_OTHER}
    assert session.do("resume").returncode == 0
    wait_until(lambda: realtime(session))


def child_of(pid: int, *, named: str = "") -> int:
    """The only child of a process whose command line holds these words."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(pid) and named in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    (only,) = found
    return only


@needs_realtime
def test_where_ordinary_work_starves_all_is_put_back_with_an_alarm_and_stays_so(
    session: Session, eager: Path
) -> None:
    run = session.start("--duration", "60", "--config", str(eager))
    wait_until(lambda: realtime(session))
    canary = child_of(child_of(run.pid, named="controller.watchdog.watchdog"))
    os.kill(canary, signal.SIGSTOP)  # as if a real-time thread never let it run
    wait_until(lambda: not realtime(session))
    os.kill(canary, signal.SIGCONT)

    def alarms() -> str:
        session.do("explain", "--json", str(session.directory / "explained.json"))
        return str(json.loads((session.directory / "explained.json").read_text())["alarms"])

    wait_until(lambda: "had no time left for ordinary work" in alarms())
    explained = (session.directory / "explained.json").read_text()
    assert "our own watchdog set it to" in explained
    assert "another hand" not in explained
    assert session.do("resume", "--knob", "thread_classes").returncode == 0
    time.sleep(3.0)
    assert not realtime(session)


@needs_realtime
def test_shadow_decides_and_touches_nothing(session: Session, eager: Path) -> None:
    session.start("--duration", "60", "--config", str(eager), "--shadow")
    wait_until(lambda: audio_workers(session.directory))
    time.sleep(3.5)
    assert policies(audio_workers(session.directory)) == {os.SCHED_OTHER}
    explained = session.do("explain")
    assert "thread_classes" in explained.stdout


def test_a_second_controller_is_refused(session: Session) -> None:
    run = session.start("--duration", "60")
    wait_until(lambda: audio_workers(session.directory))
    refused = session.do("run", "--duration", "1")
    assert refused.returncode == 2
    assert f"process {run.pid}" in refused.stderr


def test_a_command_without_a_controller_says_so(session: Session) -> None:
    refused = session.do("pause")
    assert refused.returncode == 2
    assert "no controller is running" in refused.stderr


def test_a_frozen_pipeline_is_survived_and_seen(session: Session, tmp_path: Path) -> None:
    run = session.start("--duration", "8", "--json", str(tmp_path / "figures.json"))
    wait_until(lambda: audio_workers(session.directory))
    time.sleep(1.5)
    pipeline = pipeline_in(session.directory)
    os.kill(pipeline, signal.SIGSTOP)
    time.sleep(2.0)
    os.kill(pipeline, signal.SIGCONT)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == 0, output


def test_a_pipeline_that_dies_is_told_in_one_line(session: Session) -> None:
    run = session.start("--duration", "60")
    wait_until(lambda: audio_workers(session.directory))
    time.sleep(1.5)
    pipeline = pipeline_in(session.directory)
    os.kill(pipeline, signal.SIGKILL)
    output, _ = run.communicate(timeout=20)
    assert run.returncode == 2
    assert output.count("\n") == 1
    assert "ended unexpectedly (by SIGKILL)" in output


def test_the_live_page_is_told_shows_the_run_and_ends_with_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAPELLMEISTER_DASHBOARD__PORT", "0")
    running = session.start("--dashboard", "--duration", "5")
    assert running.stdout is not None
    told = running.stdout.readline()
    assert told.startswith("the live page is at http://127.0.0.1:")
    with httpx.stream("GET", f"{told.split()[-1]}events", timeout=60) as answer:
        lines = list(answer.iter_lines())
    ticks = [json.loads(line.removeprefix("data: ")) for line in after(lines, "event: tick")]
    assert [tick["number"] for tick in ticks] == list(range(1, len(ticks) + 1))
    assert ticks[-1]["point"]["load"] == 4.0
    assert list(after(lines, "event: end")) == ["data: {}"]
    assert running.wait(20) == 0


def after(lines: list[str], named: str) -> Iterator[str]:
    return (line for before, line in pairwise(lines) if before == named)


def test_a_port_that_is_in_use_ends_a_run_in_one_line_before_anything_plays(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with taken_port() as port:
        monkeypatch.setenv("KAPELLMEISTER_DASHBOARD__PORT", str(port))
        ended = session.do("run", "--dashboard")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert "dashboard.port 127.0.0.1:" in ended.stderr

"""`kapellmeister run --plant pipewire` on a real server with a client that plays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from live_run import EAGER, LONGER, Run, awaits, realtime, soon
from pipewire_server import BUILDS, QUANTUM, Server, environment_of, serving, skip_without

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]


@pytest.fixture(params=BUILDS)
def build(request: pytest.FixtureRequest) -> str:
    skip_without(request.param)
    return str(request.param)


@pytest.fixture
def server(build: str) -> Iterator[Server]:
    with serving(build) as started:
        yield started


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def kill_all(processes: Iterable[int]) -> None:
    """The first of them first: stopped, it cannot see the others end."""
    first, *others = processes
    os.kill(first, signal.SIGSTOP)
    for each in (*others, first):
        os.kill(each, signal.SIGKILL)


def test_in_shadow_nothing_is_touched(server: Server, tmp_path: Path) -> None:
    found = server.scheduled()
    run = Run(server, tmp_path, "--duration", "5")
    while run.process.poll() is None:
        now = server.scheduled()
        assert {tid: now[tid] for tid in found if tid in now} == found
        assert server.forced() == QUANTUM
    run.end()
    report = run.figures()
    assert report["shadow"]
    assert report["deadline_ms"] == pytest.approx(1000 * QUANTUM / 48_000)
    assert report["blocks"]["submitted"] > 2 * 48_000 / QUANTUM
    assert report["alarms"] == []


ENDS = [None, signal.SIGTERM, signal.SIGKILL]


@pytest.mark.parametrize("end", ENDS)
def test_data_threads_are_raised_and_restored_however_it_ends(
    server: Server, tmp_path: Path, end: signal.Signals | None
) -> None:
    found = server.scheduled()

    def raised() -> set[int]:
        now = server.scheduled()
        return {tid for tid, how in found.items() if tid in now and now[tid] != how}

    duration = () if end else ("--duration", "12")
    run = Run(
        server,
        tmp_path,
        "--act",
        "thread_classes",
        "--policy",
        EAGER,
        *duration,
    )
    try:
        awaits(lambda: len(raised()) >= 2, 20.0, "the data threads were not raised")
        now = server.scheduled()
        assert {now[tid][0] for tid in raised() if tid in now} <= {os.SCHED_FIFO}
    finally:
        run.end(end)
    assert soon(lambda: not raised(), 2.0), "not restored"


def test_a_client_that_comes_later_is_raised_too(server: Server, tmp_path: Path) -> None:
    server.hog(4)
    with Run(server, tmp_path, "--act", "thread_classes", "--policy", EAGER) as run:
        run.awaits_ticks(4)
        client = server.play()
        awaits(lambda: bool(realtime(client)), 15.0, "none of its threads was raised")
    assert realtime(client) == set()


@pytest.mark.parametrize("end", ENDS)
def test_the_quantum_is_forced_and_what_was_forced_before_is_restored_however_it_ends(
    server: Server, tmp_path: Path, end: signal.Signals | None
) -> None:
    duration = () if end else ("--duration", "8")
    run = Run(
        server,
        tmp_path,
        "--act",
        "period_frames",
        "--policy",
        LONGER,
        *duration,
    )
    try:
        awaits(lambda: server.forced() == 128, 20.0, "no quantum was forced")
    finally:
        run.end(end)
    assert soon(lambda: server.forced() == QUANTUM, 2.0), "not restored"


def test_what_a_run_left_whose_watchdog_was_killed_too_is_restored_by_the_next(
    server: Server, tmp_path: Path
) -> None:
    run = Run(server, tmp_path, "--act", "period_frames", "--policy", LONGER)
    awaits(lambda: server.forced() == 128, 20.0, "no quantum was forced")
    run.awaits_more_ticks(1)  # the journal has what is to be restored
    kill_all((run.process.pid, *children(run.process.pid)))
    run.end()
    assert server.forced() == 128
    again = Run(server, tmp_path, "--duration", "1").end()
    assert "settings of a server restored that an earlier run left changed: 1" in again
    assert server.forced() == QUANTUM


def test_a_quantum_that_another_hand_forced_stays(server: Server, tmp_path: Path) -> None:
    with Run(server, tmp_path, "--act", "period_frames", "--policy", LONGER):
        awaits(lambda: server.forced() == 128, 20.0, "no quantum was forced")
        server.force(2048)
    assert server.forced() == 2048


def test_what_another_hand_forced_after_a_run_was_killed_is_left_alone_by_the_next(
    server: Server, tmp_path: Path
) -> None:
    run = Run(server, tmp_path, "--act", "period_frames", "--policy", LONGER)
    awaits(lambda: server.forced() == 128, 20.0, "no quantum was forced")
    run.awaits_more_ticks(1)  # the journal has what is to be restored
    run.end(signal.SIGKILL)
    assert soon(lambda: server.forced() == QUANTUM, 2.0), "not restored"
    server.force(256)
    Run(server, tmp_path, "--duration", "1").end()
    assert server.forced() == 256


def test_a_server_that_is_killed_and_started_again_is_survived(
    server: Server, tmp_path: Path
) -> None:
    with Run(server, tmp_path, "--act", "period_frames", "--policy", LONGER) as run:
        awaits(lambda: server.forced() == 128, 20.0, "no quantum was forced")
        server.kill()
        server.start()
        assert server.forced() == QUANTUM
        run.awaits_event("pipewire: the server plays again")
    assert "pipewire: the server is gone or stands still: the server has ended" in run.events()
    assert server.forced() == QUANTUM


def test_a_server_that_stands_still_for_a_while_is_survived(server: Server, tmp_path: Path) -> None:
    run = Run(server, tmp_path)
    try:
        run.awaits_ticks(3)
        server.freeze()
        run.awaits_event("pipewire: the server is gone or stands still: no cycle has begun")
        server.freeze(signal.SIGCONT)
        run.awaits_event("pipewire: the server plays again")
    finally:
        server.freeze(signal.SIGCONT)
        said = run.end(signal.SIGTERM)
    assert run.process.returncode == 0, said


def test_without_a_server_one_line_says_so(build: str, tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "kapellmeister", "run", "--plant", "pipewire"),
        env={
            **environment_of(build),
            "XDG_RUNTIME_DIR": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "kapellmeister: plant pipewire: no server answers; "
        "start one, or name its folder in XDG_RUNTIME_DIR"
    ]

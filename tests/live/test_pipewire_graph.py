"""A PipeWire graph that changes by itself, beside `kapellmeister run`: exports, rest, devices."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_run import EAGER, LONGER, Run, awaits, moved, realtime
from pipewire_server import BUILDS, QUANTUM, SINK, Server, serving, skip_without

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

CYCLES_PER_S = 48_000 / QUANTUM
SECOND, LONG = "second-sink", 1024
THREADS = ("--act", "thread_classes", "--policy", EAGER)
PERIOD = ("--act", "period_frames", "--policy", LONGER)


@pytest.fixture(params=BUILDS)
def build(request: pytest.FixtureRequest) -> str:
    skip_without(request.param)
    return str(request.param)


@pytest.fixture
def server(build: str) -> Iterator[Server]:
    """A server on which nothing is forced."""
    with serving(build, forced=0) as started:
        yield started


def test_an_export_counts_for_nothing_and_alarms_nobody(server: Server, tmp_path: Path) -> None:
    exporter = server.jack_client("exporter")
    exporter.does(f"connect {SINK}")
    found = server.started()
    with Run(server, tmp_path, *THREADS) as run:
        awaits(lambda: realtime(server.server.pid), 20.0, "the server was not raised")
        run.awaits_more_ticks(2)
        exporter.does("freewheel 1")
        awaits(run.freewheels, 8.0, "freewheel was not noticed")
        run.awaits_more_ticks(4)
        assert not any(map(realtime, server.processes()))  # it would leave no time for others
        exporter.does("freewheel 0")
        awaits(lambda: not run.freewheels(), 8.0, "the end of freewheel was not noticed")
        run.awaits_more_ticks(4)
        assert realtime(server.server.pid)
    run.check_freewheel_was_left_alone(CYCLES_PER_S)
    assert [text for text in run.alarms() if "gone" in text] == []
    assert moved(found, server.started()) == {}


def test_a_device_that_plays_on_beside_an_export_is_counted_alone(
    server: Server, tmp_path: Path
) -> None:
    server.add_sink(SECOND)
    server.play(LONG, SECOND)
    exporter = server.jack_client("exporter")
    exporter.does(f"connect {SINK}")
    run = Run(server, tmp_path)
    try:
        run.awaits_ticks(4)
        exporter.does("freewheel 1")
        run.awaits_more_ticks(3)  # what was counted before it is told by then
        run.awaits_more_ticks(4)
        free = run.ticks()[-4:]
    finally:
        exporter.does("freewheel 0")
        run.end(signal.SIGTERM)
    counted = [t.observation.blocks for t in free if t.observation.blocks is not None]
    assert sum(each.submitted for each in counted) <= 5 * 2 * 48_000 / LONG
    assert sum(each.missed for each in counted) == 0
    assert run.alarms() == []


def test_the_period_of_one_device_is_never_forced_on_another(
    server: Server, tmp_path: Path
) -> None:
    server.add_sink(SECOND)
    server.play(LONG, SECOND)
    with Run(server, tmp_path, *PERIOD) as run:
        run.awaits_ticks(6)
        assert server.forced() == 0
    assert server.forced() == 0
    assert run.blamed() == []


def test_a_device_that_starts_to_play_has_what_was_forced_restored(
    server: Server, tmp_path: Path
) -> None:
    server.add_sink(SECOND)
    with Run(server, tmp_path, *PERIOD) as run:
        awaits(lambda: server.forced() == 2 * QUANTUM, 20.0, "no quantum was forced")
        run.awaits_more_ticks(2)
        server.play(LONG, SECOND)
        awaits(lambda: server.forced() == 0, 10.0, "it stayed forced")
        run.awaits_more_ticks(3)
        assert server.forced() == 0
    assert server.forced() == 0
    assert run.blamed() == []


def test_a_run_that_began_at_rest_takes_what_plays_then_for_its_reference(
    server: Server, tmp_path: Path
) -> None:
    server.rest()
    with Run(server, tmp_path, *PERIOD) as run:
        run.awaits_ticks(4)
        assert {tick.observation.no_deadline for tick in run.ticks()} == {"nothing plays"}
        assert server.forced() == 0
        server.play()
        awaits(lambda: server.forced() == 2 * QUANTUM, 20.0, "no quantum was forced")
        server.rest()
        awaits(run.freewheels, 10.0, "that nothing plays was not noticed")
    assert server.forced() == 0
    assert run.figures()["deadline_ms"] == pytest.approx(1000 / CYCLES_PER_S)
    assert run.alarms() == []


def test_a_rate_that_somebody_switches_is_a_new_deadline_and_no_other_hand(
    server: Server, tmp_path: Path
) -> None:
    with Run(server, tmp_path, *THREADS) as run:
        awaits(lambda: realtime(server.server.pid), 20.0, "the server was not raised")
        server.set("clock.force-rate", 44_100)
        run.awaits_more_ticks(5)
        assert realtime(server.server.pid)
        deadline_ms = run.ticks()[-1].observation.deadline_ms
    frames = deadline_ms * 44.1
    assert frames == pytest.approx(round(frames))
    assert 32 <= round(frames) <= QUANTUM
    assert run.alarms() == []


def test_a_quantum_that_a_client_locked_is_left_alone(server: Server, tmp_path: Path) -> None:
    server.play(256, properties="node.lock-quantum=true")
    with Run(server, tmp_path, *PERIOD) as run:
        run.awaits_ticks(6)
        assert server.forced() == 0
    assert server.forced() == 0


def test_only_the_server_that_it_was_told_to_watch_is_raised(
    server: Server, build: str, tmp_path: Path
) -> None:
    user = 65534 if os.getuid() == 0 else os.getuid()
    with serving(build, user=user) as other:
        found = other.started()
        with Run(server, tmp_path, *THREADS) as run:
            awaits(lambda: realtime(server.server.pid), 20.0, "the server was not raised")
            run.awaits_more_ticks(3)
            assert moved(found, other.started()) == {}
        assert moved(found, other.started()) == {}


def test_after_a_restart_the_threads_are_raised_and_the_period_stays(
    server: Server, tmp_path: Path
) -> None:
    server.hog(4)
    with Run(server, tmp_path, "--act") as run:
        awaits(lambda: realtime(server.server.pid), 30.0, "the server was not raised")
        run.awaits_more_ticks(3)
        server.kill()
        server.start()
        awaits(lambda: realtime(server.server.pid), 20.0, "the new server was not raised")
        run.awaits_more_ticks(8)
        assert server.forced() == 0
    assert server.forced() == 0
    assert run.blamed() == []


def test_on_the_libjack_of_pipewire_a_run_goes_on_as_on_pipewire(
    server: Server, tmp_path: Path
) -> None:
    environment = server.environment | {"LD_LIBRARY_PATH": server.libjack()}
    run = Run(server, tmp_path, *THREADS, plant="jack", environment=environment)
    try:
        awaits(lambda: realtime(server.server.pid), 20.0, "the server was not raised")
        run.awaits_more_ticks(2)
        assert "kapellmeister" not in (server.says("pw-dump") or "")  # it waits for nobody of us
    finally:
        said = run.end(signal.SIGTERM)
    assert run.process.returncode == 0
    assert "going on as with --plant pipewire" in said

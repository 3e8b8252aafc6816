"""A JACK server through exports, changes of the buffer and restarts, beside `kapellmeister run`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from jack_server import JackServer, ScriptedClient, serving
from live_run import EAGER, LONGER_ONCE_ASKED, Run, awaits, moved, realtime

from policies.proposal import Verdict

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

CYCLES_PER_S = 48_000 / 256
PATIENCE_S = 8.0
"""Time, s, in which what was in force must be in force again."""


@pytest.fixture
def server() -> Iterator[JackServer]:
    with serving() as started:
        yield started


def start(server: JackServer, directory: Path) -> Run:
    return Run(server, directory, "--act", "thread_classes", "--policy", EAGER)


def export(run: Run, exporter: ScriptedClient, ticks: int) -> None:
    """An export that lasts so many ticks; with none it ends at once."""
    exporter.does("freewheel 1")
    if ticks:
        awaits(run.freewheels, PATIENCE_S, "freewheel was not noticed")
        run.awaits_more_ticks(ticks)
    exporter.does("freewheel 0")


def awaits_raised(*players: ScriptedClient) -> None:
    awaits(lambda: all(realtime(each.pid) for each in players), 20.0, "they were not raised")


def awaits_raised_again(*players: ScriptedClient) -> None:
    awaits(lambda: all(realtime(each.pid) for each in players), PATIENCE_S, "not raised again")


@pytest.mark.parametrize("ticks", [0, 2, 6])
def test_after_an_export_what_was_in_force_is_in_force_again(
    server: JackServer, tmp_path: Path, ticks: int
) -> None:
    exporter, other = server.client("exporter"), server.client("other")
    found = server.schedules()
    with start(server, tmp_path) as run:
        awaits_raised(exporter, other)
        export(run, exporter, ticks)
        awaits_raised_again(exporter, other)
        run.awaits_more_ticks(3)
        assert realtime(exporter.pid)
        assert realtime(other.pid)
    run.check_freewheel_was_left_alone(CYCLES_PER_S)
    assert moved(found, server.schedules()) == {}


def test_two_exports_in_a_row_are_survived_as_one_is(server: JackServer, tmp_path: Path) -> None:
    exporter = server.client("exporter")
    found = server.schedules()
    with start(server, tmp_path) as run:
        awaits_raised(exporter)
        export(run, exporter, 1)
        export(run, exporter, 1)
        awaits_raised_again(exporter)
        export(run, exporter, 1)
        awaits_raised_again(exporter)
    run.check_freewheel_was_left_alone(CYCLES_PER_S)
    assert moved(found, server.schedules()) == {}


def test_an_export_that_began_before_is_one_too(server: JackServer, tmp_path: Path) -> None:
    exporter = server.client("exporter")
    found = server.schedules()
    exporter.does("freewheel 1")
    with start(server, tmp_path) as run:
        run.awaits_ticks(3)
        assert run.freewheels()
        assert not realtime(exporter.pid)
        exporter.does("freewheel 0")
        awaits_raised(exporter)
    assert {tick.observation.no_deadline for tick in run.ticks()} == {"the server freewheels", ""}
    run.check_freewheel_was_left_alone(CYCLES_PER_S)
    assert moved(found, server.schedules()) == {}


def test_an_export_that_outlives_the_run_is_no_obstacle_to_its_end(
    server: JackServer, tmp_path: Path
) -> None:
    exporter = server.client("exporter")
    found = server.schedules()
    run = start(server, tmp_path)
    try:
        awaits_raised(exporter)
        exporter.does("freewheel 1")
        awaits(run.freewheels, PATIENCE_S, "freewheel was not noticed")
    finally:
        said = run.end(signal.SIGTERM)
    assert run.process.returncode == 0, said
    exporter.does("freewheel 0")
    assert moved(found, server.schedules()) == {}


def test_an_exporter_that_dies_in_its_export_is_survived(
    server: JackServer, tmp_path: Path
) -> None:
    exporter, other = server.client("exporter"), server.client("other")
    with start(server, tmp_path) as run:
        awaits_raised(exporter, other)
        exporter.does("freewheel 1")
        awaits(run.freewheels, PATIENCE_S, "freewheel was not noticed")
        os.kill(exporter.pid, signal.SIGKILL)
        if other.does("freewheel 0") != "done":
            pytest.fail("the server did not leave freewheel")
        awaits_raised_again(other)
    run.check_freewheel_was_left_alone(CYCLES_PER_S)


@pytest.mark.parametrize("ticks", [0, 2])
def test_what_a_realtime_server_gives_its_clients_stays_through_an_export(
    tmp_path: Path, ticks: int
) -> None:
    with serving(realtime=True) as server:
        exporter = server.client("exporter")
        awaits_raised(exporter)
        found = server.schedules()
        run = start(server, tmp_path)
        try:
            run.awaits_ticks(3)
            export(run, exporter, ticks)
            awaits_raised_again(exporter)
            run.awaits_more_ticks(3)
            assert realtime(exporter.pid)
        finally:
            run.end(signal.SIGTERM)
        run.check_freewheel_was_left_alone(CYCLES_PER_S)
        # Of the server's own threads one is made anew, with its priority.
        assert sorted(server.schedules().values()) == sorted(found.values())


def test_a_period_that_a_client_sets_is_no_miss_and_takes_nothing_back(
    server: JackServer, tmp_path: Path
) -> None:
    player = server.client("player")
    found = server.schedules()
    with start(server, tmp_path) as run:
        awaits_raised(player)
        run.awaits_more_ticks(2)
        player.does("period 512")
        run.awaits_more_ticks(3)
        awaits(lambda: realtime(server.pid), PATIENCE_S, "the server's new thread was not raised")
        assert realtime(player.pid)
        player.does("period 128")
        run.awaits_more_ticks(3)
        awaits(lambda: realtime(server.pid), PATIENCE_S, "the server's new thread was not raised")
    assert run.blamed() == []
    assert run.alarms() == []
    assert moved(found, server.schedules()) == {}
    changed = [tick.observation for tick in run.ticks() if tick.observation.discontinuity]
    assert len(changed) >= 2
    assert all(seen.blocks is None or seen.blocks.missed <= 3 for seen in changed)


@pytest.mark.parametrize("ticks", [1, 4])
def test_a_period_that_was_ordered_just_before_an_export_comes_into_force_after_it(
    server: JackServer, tmp_path: Path, ticks: int
) -> None:
    exporter, asked = server.client("exporter"), tmp_path / "asked"
    server.environment["LONGER_ONCE"] = str(asked)
    with Run(server, tmp_path, "--act", "--policy", LONGER_ONCE_ASKED) as run:
        run.awaits_ticks(3)
        monitor, ticks_before = run.monitor(), len(run.ticks())
        told = lines_told(monitor)
        asked.touch()
        awaits(lambda: lines_told(monitor) > told + 1, 1.0, "the monitor tells nothing")
        os.kill(monitor, signal.SIGSTOP)  # so that the order is under way as the export begins
        assert len(run.ticks()) == ticks_before, "this machine is too slow"
        awaits(lambda: changes(run), PATIENCE_S, "no period was ordered")
        exporter.does("freewheel 1")
        os.kill(monitor, signal.SIGCONT)
        awaits(run.freewheels, PATIENCE_S, "freewheel was not noticed")
        run.awaits_more_ticks(ticks)
        exporter.does("freewheel 0")
        awaits(lambda: period(run) == 512, PATIENCE_S, "the period did not come into force")
        run.awaits_more_ticks(3)
        assert period(run) == 512
    run.check_freewheel_was_left_alone(CYCLES_PER_S)
    assert [text for text in run.alarms() if "period" in text] == []
    assert exporter.does("period") == "256"


def test_a_transport_that_starts_and_stops_is_nothing_to_us(
    server: JackServer, tmp_path: Path
) -> None:
    player, transport = server.client("player"), server.client("transport", "--idle")
    found = server.schedules()
    with start(server, tmp_path) as run:
        awaits_raised(player)
        for _ in range(3):
            transport.does("transport start")
            run.awaits_more_ticks(1)
            transport.does("transport stop")
            run.awaits_more_ticks(1)
        assert not realtime(transport.pid)
        assert realtime(player.pid)
    assert run.blamed() == []
    assert run.events() == set()
    assert all(tick.observation.no_deadline == "" for tick in run.ticks())
    assert moved(found, server.schedules()) == {}


def test_no_change_is_judged_by_a_server_that_came_after(
    server: JackServer, tmp_path: Path
) -> None:
    server.client("first")
    with start(server, tmp_path) as run:
        awaits(lambda: changes(run), 20.0, "nothing was changed")
        (before,) = changes(run)[:1]
        server.kill()
        run.awaits_event("the server is gone")
        server.start(period=128)
        second = server.client("second")
        awaits_raised(second)
        run.awaits_more_ticks(8)  # until it would have been judged
    verdicts = {each.change_id: each.verdict for tick in run.ticks() for each in tick.verifications}
    assert verdicts[before] is Verdict.UNDECIDED
    assert run.blamed() == []


def changes(run: Run) -> list[str]:
    return [change.id for tick in run.ticks() for change in tick.changes]


def period(run: Run) -> object:
    return run.ticks()[-1].settings.get("period_frames")


def lines_told(monitor: int) -> int:
    """How often a process has written."""
    counts = Path(f"/proc/{monitor}/io").read_text().split()
    return int(counts[counts.index("syscw:") + 1])

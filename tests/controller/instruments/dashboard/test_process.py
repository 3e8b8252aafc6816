"""The live page has a process of its own, which control never waits for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fakes import Rig, Scripted
from served import RUN, taken_port

from controller.errors import MissingExtraError, PortInUseError
from controller.instruments.dashboard import process
from controller.instruments.dashboard.process import Dashboard
from policies.observation import Missing

LONG_S = 20.0
NO_WAIT_S = 0.5


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def dashboard(said: list[str]) -> Iterator[Dashboard]:
    with closing(Dashboard(0, said.append)) as started:
        started.begin(RUN)
        yield started


def until(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < give_up_s, "it never came to pass"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def events(dashboard: Dashboard) -> Iterator[tuple[str, dict]]:
    """Server-sent events as they come."""
    with httpx.stream("GET", f"{dashboard.url}events", timeout=LONG_S) as answer:
        name = ""
        for line in answer.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)


def test_a_port_in_use_is_named_in_one_line_with_the_remedy() -> None:
    with taken_port() as port, pytest.raises(PortInUseError) as caught:
        Dashboard(port)
    assert str(caught.value) == (
        f"dashboard.port 127.0.0.1:{port}: Address already in use; "
        "choose another one in a --config file, or as KAPELLMEISTER_DASHBOARD__PORT"
    )


def test_what_must_be_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"needs starlette.*kapellmeister\[dashboard\]"):
        Dashboard(0)


@pytest.mark.live
def test_a_tick_is_on_the_page_and_so_is_the_end(dashboard: Dashboard) -> None:
    told = events(dashboard)
    assert next(told)[1]["run"] == RUN
    dashboard(Rig(Scripted()).tick())
    name, tick = next(told)
    assert (name, tick["number"], tick["reason"]) == ("tick", 1, "scripted")
    dashboard.close()
    assert list(told) == [("end", {})]


@pytest.mark.live
def test_a_closed_page_frees_its_port_and_can_be_closed_again(dashboard: Dashboard) -> None:
    next(events(dashboard))
    dashboard.close()
    dashboard.close()
    assert not lives(dashboard.pid)
    with closing(Dashboard(dashboard.port)) as another:
        another.begin(RUN)
        assert next(events(another))[0] == "history"


@pytest.mark.live
def test_a_run_that_ends_before_it_began_leaves_nothing_behind(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with closing(Dashboard(0)) as started:
        pass
    assert not lives(started.pid)
    assert capfd.readouterr() == ("", "")


@pytest.mark.live
def test_a_stopped_page_delays_no_tick_and_what_it_has_no_room_for_is_dropped(
    dashboard: Dashboard,
) -> None:
    rig = Rig(Scripted(), instruments=(dashboard,))
    next(events(dashboard))
    os.kill(dashboard.pid, signal.SIGSTOP)
    slowest_s, taken = 0.0, 0
    while dashboard.dropped < 10:
        started_s = time.monotonic()
        rig.tick()
        slowest_s, taken = max(slowest_s, time.monotonic() - started_s), taken + 1
        assert taken < 10_000, "the pipe never filled"
    assert slowest_s < NO_WAIT_S
    os.kill(dashboard.pid, signal.SIGCONT)
    until(lambda: next(events(dashboard))[1]["last"]["number"] == taken - 10)


@pytest.mark.live
def test_a_page_that_was_stopped_does_not_delay_the_end_for_long(dashboard: Dashboard) -> None:
    os.kill(dashboard.pid, signal.SIGSTOP)
    dashboard.close()
    assert not lives(dashboard.pid)


@pytest.mark.live
def test_a_page_that_died_is_told_once_and_control_goes_on(
    dashboard: Dashboard, said: list[str]
) -> None:
    rig = Rig(Scripted(), instruments=(dashboard,))
    os.kill(dashboard.pid, signal.SIGKILL)
    until(lambda: not lives(dashboard.pid))
    assert [tick.number for tick in rig.ticks(3)] == [1, 2, 3]
    assert said == ["the live page's process ended; control goes on without the page"]


@pytest.mark.live
def test_a_tick_that_is_larger_than_the_pipe_is_dropped_and_the_next_is_shown(
    dashboard: Dashboard,
) -> None:
    tick = Rig(Scripted()).tick()
    told = events(dashboard)
    next(told)
    dashboard(replace(tick, alarms=("x" * (2 << 20),)))
    dashboard(replace(tick, number=2))
    assert next(told)[1]["number"] == 2
    assert dashboard.dropped == 1


@pytest.mark.live
def test_a_tick_that_says_nothing_is_shown_with_nulls(dashboard: Dashboard) -> None:
    rig = Rig(Scripted())
    rig.plant.load = rig.plant.latency_p99_ms = Missing("programs tell no load")
    rig.plant.has_blocks = False
    told = events(dashboard)
    next(told)
    dashboard(rig.tick())
    point = next(told)[1]["point"]
    assert [point[name] for name in ("load", "p99_ms", "miss_rate", "blocks")] == [None] * 4


PARENT = """
from controller.instruments.dashboard.process import Dashboard
import time
dashboard = Dashboard(0)
dashboard.begin({"interval_s": 1.0})
print(dashboard.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.live
def test_the_page_dies_with_the_controller() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert lives(pid)
        parent.kill()
        until(lambda: not lives(pid))

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import Rig, Scripted

from controller.instruments.systemd import ServiceManager


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The end of the socket that a service manager listens at."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listening


def heard(systemd: socket.socket) -> list[str]:
    return systemd.recv(4096).decode().split("\n")


def test_it_is_ready_with_the_first_tick_alive_with_each_and_stopping_at_the_end(
    systemd: socket.socket,
) -> None:
    with ServiceManager() as service:
        Rig(Scripted(), instruments=(service,)).ticks(2)
        assert heard(systemd)[:2] == ["READY=1", "WATCHDOG=1"]
        assert heard(systemd)[0] == "WATCHDOG=1"
    assert heard(systemd)[0] == "STOPPING=1"


def test_the_status_is_the_first_alarm_in_one_line_or_else_the_diagnosis(
    systemd: socket.socket,
) -> None:
    alarms = iter(("processor 1\nMAINPID=1 starves", None))
    with ServiceManager() as service:
        _, calm = Rig(Scripted(), instruments=(service,), warn=lambda: next(alarms)).ticks(2)
        assert heard(systemd)[2:] == ["STATUS=alarm: processor 1 MAINPID=1 starves"]
        assert heard(systemd)[1:] == [f"STATUS={calm.diagnosis.summary}"]


def test_a_name_that_starts_with_an_at_sign_is_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("")  # the kernel chooses a name that is no path
        name = listening.getsockname().decode().replace("\0", "@", 1)
        listening.settimeout(5.0)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        with ServiceManager():
            pass
        assert heard(listening)[0] == "STOPPING=1"


def test_where_nobody_listens_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("", str(tmp_path / "gone")):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        with ServiceManager() as service:
            ticks = Rig(Scripted(), instruments=(service,)).ticks(1)
        assert [tick.number for tick in ticks] == [1]


def test_a_service_manager_that_does_not_read_never_holds_up_a_tick(
    systemd: socket.socket,
) -> None:
    with ServiceManager() as service:
        Rig(Scripted(), instruments=(service,)).ticks(200)
    assert heard(systemd)[0] == "READY=1"

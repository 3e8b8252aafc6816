"""The hosts that tests of the cluster are played on are what they are taken for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hosts
import pytest
from awaited import until
from hosts import Hosts
from scripted_node import lives

ANSWER = (
    "import socket; at = socket.create_server((socket.gethostname(), 4000)); print(flush=True); "
    "link = at.accept()[0]; link.sendall(link.recv(9)); link.recv(9)"
)
ASK = (
    "import socket, sys; link = socket.create_connection((sys.argv[1], 4000), 2); "
    "link.settimeout(0.5); link.sendall(b'block'); print(link.recv(9).decode(), flush=True); "
    "sys.stdin.readline(); link.sendall(b'block'); link.recv(9)"
)
PYTHON = (sys.executable, "-IS", "-c")
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@pytest.fixture
def three() -> Iterator[Hosts]:
    with hosts.connected() as connected:
        yield connected


def test_a_cut_wire_is_silent_and_nothing_runs_on_when_hosts_are_removed() -> None:
    with (
        hosts.connected() as three,
        subprocess.Popen(three.command("two", *PYTHON, ANSWER), **PIPES) as server,
    ):
        server.stdout.readline()
        ask = three.command("one", *PYTHON, ASK, "two")
        with subprocess.Popen(ask, **PIPES) as client:
            assert client.stdout.readline() == b"block\n"
            three.cut("two")
            said = client.communicate(b"\n")[1].decode()
        assert said.splitlines()[-1] == "TimeoutError: timed out"
        assert lives(server.pid)
        three.close()
        until(lambda: not lives(server.pid))
    assert not list(Path("/run/netns").glob(f"{three.command('one')[3]}*"))


def test_a_mended_wire_carries_again(three: Hosts) -> None:
    reach = three.command("one", *PYTHON, "import socket; socket.create_connection(('two', 9), 1)")

    def last_line() -> str:
        return subprocess.run(reach, capture_output=True, text=True).stderr.splitlines()[-1]

    three.cut("two")
    assert last_line().startswith(("TimeoutError", "OSError"))
    three.mend("two")
    assert last_line().startswith("ConnectionRefusedError")


def test_a_host_has_its_own_name(three: Hosts) -> None:
    name = three.command("three", *PYTHON, "import socket; print(socket.gethostname())")
    assert subprocess.run(name, capture_output=True, text=True).stdout == "three\n"

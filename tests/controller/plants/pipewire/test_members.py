"""Which processes a PipeWire server and its clients are, in a folder that looks like /proc."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from proc_tree import put_process

from controller.linux.process_id import ProcessId
from controller.plants.pipewire.members import LOOK_AGAIN_NS, Members
from controller.plants.pipewire.pw_dump import Client
from controller.plants.pipewire.sockets import sockets_of, unix_peers

TOOL, SERVER, CLIENT, OTHER_SERVER, OTHERS_CLIENT = 10, 20, 30, 40, 50
PEERS = {101: 201, 201: 101, 301: 202, 202: 301, 501: 401, 401: 501}
RENDERER = Client(35, 7, CLIENT)


def nobody() -> tuple[ProcessId, ...]:
    return ()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two servers, each with a client; our tool is connected to the first."""
    put_process(tmp_path, TOOL, "pw-dump", sockets=[101])
    put_process(tmp_path, SERVER, "pipewire", sockets=[200, 201, 202], start_time=5)
    put_process(tmp_path, CLIENT, "renderer", sockets=[301], start_time=6)
    put_process(tmp_path, OTHER_SERVER, "pipewire", sockets=[400, 401])
    put_process(tmp_path, OTHERS_CLIENT, "player", sockets=[501])
    for each in ("self", str(SERVER)):
        counts_as(tmp_path, each, "4026531836")
    return tmp_path


def counts_as(root: Path, process: str, namespace: str) -> None:
    (root / process / "ns").mkdir(parents=True)
    (root / process / "ns/pid").symlink_to(f"pid:[{namespace}]")


def members(root: Path, claimed: int = SERVER, peers: Mapping[int, int] = PEERS) -> Members:
    found = Members(nobody, root, lambda: peers)
    found.find_server(TOOL, claimed)
    return found


def test_the_server_is_the_one_that_our_tool_is_connected_to(root: Path) -> None:
    assert members(root).server == ProcessId(SERVER, 5)


@pytest.mark.parametrize("claimed", [OTHER_SERVER, 0, 99, TOOL])
def test_what_it_says_it_is_decides_nothing_alone(root: Path, claimed: int) -> None:
    assert members(root, claimed).server == ProcessId(SERVER, 5)


def test_where_its_process_is_not_to_be_seen_there_is_none(root: Path) -> None:
    put_process(root, SERVER, "pipewire")
    found = members(root)
    assert found.server is None
    assert found.clients([RENDERER], LOOK_AGAIN_NS) == {}


def test_a_client_is_the_process_that_connected(root: Path) -> None:
    assert members(root).clients([RENDERER], 1) == {35: ProcessId(CLIENT, 6)}


def test_a_process_that_is_not_connected_to_this_server_is_none_of_its_clients(root: Path) -> None:
    told = [Client(36, 8, OTHERS_CLIENT), Client(37, 9, 99), Client(38, 10, 0)]
    assert members(root).clients(told, 1) == {}


def test_a_number_that_another_process_has_meanwhile_is_no_client(root: Path) -> None:
    put_process(root, CLIENT, "bystander", sockets=[777], start_time=9)
    assert members(root).clients([RENDERER], 1) == {}


def test_a_client_stays_the_process_that_it_was_when_it_was_first_seen(root: Path) -> None:
    found = members(root)
    found.clients([RENDERER], 1)
    put_process(root, CLIENT, "bystander", start_time=9)
    assert found.clients([RENDERER], 2) == {35: ProcessId(CLIENT, 6)}
    assert found.clients([], 3) == {}


def test_a_client_that_was_not_found_is_looked_for_again(root: Path) -> None:
    put_process(root, CLIENT, "renderer", start_time=6)
    found = members(root)
    assert found.clients([RENDERER], LOOK_AGAIN_NS) == {}
    put_process(root, CLIENT, "renderer", sockets=[301], start_time=6)
    assert found.clients([RENDERER], LOOK_AGAIN_NS + 1) == {}
    assert found.clients([RENDERER], 2 * LOOK_AGAIN_NS) == {35: ProcessId(CLIENT, 6)}


def unreadable(root: Path, pid: int) -> None:
    """As where a program has capabilities that we have not."""
    (root / str(pid) / "fd").rename(root / str(pid) / "hidden")


def test_of_a_client_that_may_not_be_looked_into_the_server_is_believed(root: Path) -> None:
    unreadable(root, CLIENT)
    assert members(root).clients([RENDERER], 1) == {35: ProcessId(CLIENT, 6)}


def test_but_not_a_server_that_counts_processes_in_a_namespace_of_its_own(root: Path) -> None:
    unreadable(root, CLIENT)
    (root / str(SERVER) / "ns/pid").unlink()
    (root / str(SERVER) / "ns/pid").symlink_to("pid:[4026532999]")
    assert members(root).clients([RENDERER], 1) == {}


def test_of_a_server_in_another_network_the_kernel_does_not_tell_who_its_clients_are(
    root: Path,
) -> None:
    found = members(root, peers={101: 201})
    assert found.server == ProcessId(SERVER, 5)
    assert found.clients([RENDERER], 1) == {35: ProcessId(CLIENT, 6)}


def test_a_client_may_be_in_another_network(root: Path) -> None:
    found = members(root, peers={101: 201, 201: 101, 202: 301})
    assert found.clients([RENDERER, Client(36, 8, OTHERS_CLIENT)], 1) == {35: ProcessId(CLIENT, 6)}


def test_where_the_kernel_tells_no_peers_the_server_is_the_one_that_listens(root: Path) -> None:
    def refuse() -> Mapping[int, int]:
        raise OSError(93, "Protocol not supported")

    found = Members(lambda: (ProcessId(SERVER, 5),), root, refuse)
    found.find_server(TOOL, SERVER)
    assert found.server == ProcessId(SERVER, 5)
    assert found.clients([RENDERER], 1) == {35: ProcessId(CLIENT, 6)}


@pytest.mark.parametrize(("claimed", "server"), [(SERVER, ProcessId(SERVER, 5)), (0, None)])
def test_of_two_that_listen_it_is_the_one_that_says_so_or_none(
    root: Path, claimed: int, server: ProcessId | None
) -> None:
    two = (ProcessId(SERVER, 5), ProcessId(OTHER_SERVER, 1))
    found = Members(lambda: two, root, dict)
    found.find_server(TOOL, claimed)
    assert found.server == server


def test_the_kernel_tells_both_ends_of_a_connection(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as ours:
        listening.bind(str(tmp_path / "server"))
        listening.listen()
        ours.connect(str(tmp_path / "server"))
        with listening.accept()[0] as theirs:
            ends = [os.fstat(each.fileno()).st_ino for each in (ours, theirs)]
            peers = unix_peers()
            assert [peers[each] for each in ends] == ends[::-1]
            assert set(ends) <= sockets_of(os.getpid(), Path("/proc"))


def test_of_a_process_that_has_ended_no_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sockets_of(99, tmp_path)

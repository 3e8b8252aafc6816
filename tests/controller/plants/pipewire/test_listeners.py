"""Which process listens on the socket of a server, whatever else has its name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from proc_tree import put_process

from controller.linux.process_id import ProcessId
from controller.plants.pipewire.listeners import listening, shares_process_ids


class Sockets:
    """A folder with a server's socket, and /proc as it tells of that."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.runtime = folder / "proc", folder / "run"
        (self.proc / "net").mkdir(parents=True)
        self.runtime.mkdir()
        self.path = self.runtime / "pipewire-0"
        self.path.touch()
        self.bind(self.path, 4711)
        self.server = put_process(self.proc, 41, "pipewire", sockets=[4711])

    def bind(self, path: Path | str, inode: int) -> None:
        with (self.proc / "net/unix").open("a") as file:
            file.write(f"0000: 00000002 00000000 00010000 0001 01 {inode} {path}\n")

    def found(self, path: Path | None = None) -> set[int]:
        return {each.pid for each in listening("pipewire", path or self.path, self.proc)}


@pytest.fixture
def sockets(tmp_path: Path) -> Sockets:
    return Sockets(tmp_path)


def test_a_server_in_another_folder_is_another(sockets: Sockets, tmp_path: Path) -> None:
    for number, folder in enumerate(("other", "other/run", "run2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pipewire-0").touch()
        sockets.bind(tmp_path / folder / "pipewire-0", 5000 + number)
        put_process(sockets.proc, 50 + number, "pipewire", sockets=[5000 + number])
    assert sockets.found() == {41}
    assert sockets.found(tmp_path / "other/pipewire-0") == {50}


def test_a_folder_may_be_spelt_in_other_ways(sockets: Sockets, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("run")
    assert sockets.found(tmp_path / "link/pipewire-0") == {41}
    assert sockets.found(tmp_path / "run/../run/pipewire-0") == {41}


def test_a_folder_may_have_spaces(sockets: Sockets, tmp_path: Path) -> None:
    (tmp_path / "my run").mkdir()
    sockets.bind(tmp_path / "my run/pipewire-0", 6000)
    put_process(sockets.proc, 60, "pipewire", sockets=[6000])
    assert sockets.found(tmp_path / "my run/pipewire-0") == {60}


def test_another_users_process_has_not_made_our_socket(sockets: Sockets) -> None:
    status = sockets.proc / "41/status"
    theirs = os.getuid() + 1
    status.write_text(f"Name:\tpipewire\nUid:\t0\t0\t0\t{theirs}\n")
    assert sockets.found() == set()
    status.write_text(f"Name:\tpipewire\nUid:\t0\t0\t0\t{os.getuid()}\n")
    assert sockets.found() == {41}


def test_whoever_sees_another_file_there_has_made_another_socket(
    sockets: Sockets, tmp_path: Path
) -> None:
    root = tmp_path / "container"
    there = root / str(sockets.path).removeprefix("/")
    there.parent.mkdir(parents=True)
    there.touch()
    (sockets.proc / "41/root").symlink_to(root)
    assert sockets.found() == set()
    there.unlink()
    there.hardlink_to(sockets.path)
    assert sockets.found() == {41}


def test_whoever_counts_other_processes_is_left_alone(sockets: Sockets) -> None:
    (sockets.proc / "41/ns").mkdir()
    (sockets.proc / "41/ns/pid").symlink_to("pid:[1]")
    assert not shares_process_ids(41, sockets.proc)
    assert sockets.found() == set()
    assert shares_process_ids(os.getpid())


def test_a_server_is_the_program_that_holds_the_socket_where_it_is_found(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/unix").write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/user/0/pipewire-0\n"
        "0000000000000000: 00000003 00000000 00000000 0001 03 4712\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 4713 /run/user/0/pipewire-0-manager\n"
    )
    programs = {41: ("pipewire", 4711), 42: ("pipewire", 4713), 1: ("systemd", 4711)}
    for pid, (program, inode) in programs.items():
        put_process(tmp_path, pid, program, sockets=[inode])
    folder = Path("/run/user/0")
    assert listening("pipewire", folder / "pipewire-0", tmp_path) == (ProcessId(41, 1),)
    assert listening("pipewire", folder / "pipewire-1", tmp_path) == ()
    assert listening("pipewire", Path("pipewire-0"), tmp_path) == ()

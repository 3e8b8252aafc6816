"""Which processes are a server, or play with it: those of that server, and of no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from proc_tree import put_process

from controller.linux.process_id import ProcessId
from controller.plants.programs.processes import listening, playing_with, shares_numbers

MAPPED = """\
7f0000000000-7f0000001000 r-xp 00000000 00:14 900 /usr/lib/libjack.so
7f0000001000-7f0000002000 rw-s 00000000 {device} {inode} /dev/shm/jack_sem.{name}
"""
OF_ROOT = "0_default_system"


def maps(inode: int, device: str = "00:1a", name: str = OF_ROOT) -> str:
    return MAPPED.format(inode=inode, device=device, name=name)


def clients(root: Path, server: ProcessId | None, name: str = "default") -> set[int]:
    return {each.pid for each in playing_with(name, server, root)}


def test_a_client_maps_the_semaphore_that_its_server_has(tmp_path: Path) -> None:
    server = put_process(tmp_path, 41, "jackd", maps=maps(5))
    put_process(tmp_path, 42, "synth", maps=maps(5))
    put_process(tmp_path, 43, "editor", maps="")
    assert clients(tmp_path, server) == {41, 42}
    assert clients(tmp_path, None) == set()
    assert clients(tmp_path, ProcessId(41, 2)) == set()


@pytest.mark.parametrize(
    "other",
    [
        maps(6),
        maps(5, device="00:1b"),
        maps(5, name="0_default2_system"),
        maps(5, name="0_default_alsa"),
        maps(55),
    ],
)
def test_a_client_of_another_server_of_that_name_is_none(tmp_path: Path, other: str) -> None:
    """Of another user, of another mount namespace, or of one that has ended."""
    server = put_process(tmp_path, 41, "jackd", maps=maps(5))
    put_process(tmp_path, 42, "synth", maps=other)
    assert clients(tmp_path, server) == {41}


def test_a_semaphore_whose_file_was_removed_is_still_the_same(tmp_path: Path) -> None:
    server = put_process(tmp_path, 41, "jackd", maps=maps(5, name=f"{OF_ROOT} (deleted)"))
    put_process(tmp_path, 42, "synth", maps=maps(5))
    assert clients(tmp_path, server) == {41, 42}


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    server = put_process(tmp_path, 41, "jackd", maps=maps(5, name="0_a+b_system"))
    assert clients(tmp_path, server, "a+b") == {41}
    assert clients(tmp_path, server, "a.b") == set()


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
    assert not shares_numbers(41, sockets.proc)
    assert sockets.found() == set()
    assert shares_numbers(os.getpid())

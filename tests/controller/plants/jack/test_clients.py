"""Which processes play with a JACK server: those of that server, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from proc_tree import put_process

from controller.linux.process_id import ProcessId
from controller.plants.jack.clients import playing_with

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

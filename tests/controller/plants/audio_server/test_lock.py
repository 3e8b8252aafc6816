"""One controller turns a server at a time."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from controller.errors import PlantError
from controller.plants.audio_server.lock import ServerLock


def is_free(plant: str, folder: Path, server: str) -> bool:
    try:
        ServerLock(plant, folder, server).close()
    except PlantError:
        return False
    return True


def test_a_second_controller_of_a_server_is_refused_until_the_first_has_ended(
    tmp_path: Path,
) -> None:
    with closing(ServerLock("jack", tmp_path, "default")), pytest.raises(PlantError) as refused:
        ServerLock("jack", tmp_path, "default")
    assert str(refused.value) == (
        "plant jack: another controller turns this server; stop that, or run with --shadow"
    )
    assert is_free("jack", tmp_path, "default")


def test_a_server_is_the_same_however_its_place_is_spelt(tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "link").symlink_to("user")
    with closing(ServerLock("pipewire", tmp_path / "user", "pipewire-0")):
        for folder in (tmp_path / "link", tmp_path / "user/../user", f"{tmp_path}//user/"):
            assert not is_free("pipewire", Path(folder), "pipewire-0")


def test_another_server_may_be_turned_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with closing(ServerLock("jack", tmp_path, "default")):
        assert is_free("jack", tmp_path, "another")
        assert is_free("jack", tmp_path / "other", "default")
        assert is_free("jack", tmp_path / "missing", "default")
        assert is_free("pipewire", tmp_path, "default")


def test_a_lock_that_the_system_refuses_is_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket, "socket", lambda _: SimpleNamespace(bind=refuse, close=print))
    with pytest.raises(PlantError, match="Permission denied; give access to it"):
        ServerLock("jack", tmp_path, "default")

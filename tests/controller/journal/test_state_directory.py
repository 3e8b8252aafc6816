from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.errors import AlreadyRunningError, JournalError
from controller.journal.state_directory import StateDirectory


def test_one_controller_at_a_time(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path / "state")
    with directory.lock():
        with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):
            StateDirectory(tmp_path / "state").lock().__enter__()
        assert directory.holder() == os.getpid()
    assert directory.holder() is None
    with directory.lock():
        assert directory.holder() == os.getpid()


def test_nobody_holds_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert StateDirectory(tmp_path / "state").holder() is None


def test_the_lock_of_a_dead_controller_is_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; "
        "from controller.journal.state_directory import StateDirectory; "
        "StateDirectory(Path(sys.argv[1])).lock().__enter__(); os.abort()"
    )
    home = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=home, check=False)
    assert (tmp_path / "controller.lock").read_text(encoding="ascii").isdigit()
    with StateDirectory(tmp_path).lock():
        pass


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="ascii")
    with pytest.raises(
        JournalError, match="Not a directory; choose another --state-dir, in a folder"
    ):
        StateDirectory(tmp_path / "state").lock().__enter__()


def test_the_folder_follows_the_xdg_specification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert StateDirectory().journal_path == tmp_path / "kapellmeister" / "journal.sqlite3"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert StateDirectory().path == tmp_path / ".local" / "state" / "kapellmeister"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_cannot_be_a_lock_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "controller.lock")
    words = r"controller\.lock: it is no regular file; move it away, or choose another"
    with pytest.raises(JournalError, match=words):
        StateDirectory(tmp_path).lock().__enter__()
    assert StateDirectory(tmp_path).holder() is None

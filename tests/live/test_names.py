"""Programs as they are: named with spaces, replaced as they run, renamed, run by interpreters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from live_run import awaits, soon

from controller.plants.programs.processes import named
from controller.plants.programs.programs import Programs

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]

WAIT = "input()"
RENAME = "import ctypes; ctypes.CDLL(None).prctl(15, b'engine', 0, 0, 0); input()"


class Studio:
    """A folder of programs that wait until they are ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def program(self, name: str) -> Path:
        """A program of machine code that has this name."""
        path = self.folder / name
        shutil.copy(os.path.realpath("/bin/sh"), path)
        return path

    def script(self, name: str, text: str, interpreter: str = sys.executable) -> Path:
        """A program that an interpreter runs."""
        path = self.folder / name
        path.write_text(f"#!{interpreter}\n{text}\n")
        path.chmod(0o755)
        return path

    def start(self, *command: str | Path) -> int:
        """The number of a program, once it is there."""
        started = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=self.folder)
        self._started.append(started)
        return started.pid

    def close(self) -> None:
        """End all."""
        for each in self._started:
            each.kill()
            each.communicate()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path)
    yield studio
    studio.close()


def names_in_vain(pid: int, *names: str) -> list[str]:
    """Those of the names by which this process alone is not found, though it may just start."""

    def is_found(name: str) -> bool:
        return [each.pid for each in named((name,))] == [pid]

    return [name for name in names if not soon(partial(is_found, name), 5.0)]


def test_a_name_with_a_space_is_found(studio: Studio) -> None:
    path = studio.program("pianoteq-test 6")
    pid = studio.start(path, "-c", "read x")
    assert not names_in_vain(pid, "pianoteq-test 6", str(path))


def test_a_program_whose_file_was_replaced_or_removed_is_found(studio: Studio) -> None:
    path = studio.program("my-studio-renderer")
    pid = studio.start(path, "-c", "read x")
    assert not names_in_vain(pid, "my-studio-renderer")
    studio.program("next").rename(path)
    assert not names_in_vain(pid, "my-studio-renderer", "my-studio-rende")
    path.unlink()
    assert not names_in_vain(pid, "my-studio-renderer", str(path))


def test_a_program_that_renames_itself_is_found_by_either_name(studio: Studio) -> None:
    pid = studio.start(studio.script("studio-test.py", RENAME))
    assert not names_in_vain(pid, "engine", "studio-test.py", "studio-test")


def test_a_script_is_found_by_its_name_however_it_was_started(studio: Studio) -> None:
    script = studio.script("my-long-studio-renderer.py", WAIT)
    for command in ((script,), ("./my-long-studio-renderer.py",), (sys.executable, "-u", script)):
        pid = studio.start(*command)
        assert not names_in_vain(
            pid, "my-long-studio-renderer.py", "my-long-studio-renderer", str(script)
        )
        studio.close()
    (studio.folder / "carla_test").mkdir()
    (studio.folder / "carla_test" / "__main__.py").write_text(WAIT)
    assert not names_in_vain(studio.start(sys.executable, "-m", "carla_test"), "carla_test")


def test_a_program_stays_found_when_its_file_is_replaced_and_it_renames_itself(
    studio: Studio,
) -> None:
    script = studio.script("studio-test", f"open('loaded', 'w').close(); input(); {RENAME}")
    pid = studio.start(script)
    awaits((studio.folder / "loaded").exists, 5.0, "not loaded")
    programs = Programs(["studio-test"])
    assert [each.pid for each in programs.processes()] == [pid]
    script.unlink()
    stdin = studio._started[0].stdin
    assert stdin is not None
    stdin.write(b"\n")
    stdin.flush()
    comm = Path(f"/proc/{pid}/comm")
    awaits(lambda: comm.read_text() == "engine\n", 5.0, "not renamed")
    programs.renew()
    assert [each.pid for each in programs.processes()] == [pid]


def test_a_run_tells_which_interpreter_runs_a_program(studio: Studio, tmp_path: Path) -> None:
    studio.script("carla-test", WAIT)
    pid = studio.start(sys.executable, "./carla-test")
    assert not names_in_vain(pid, "carla-test")
    said = _run("carla-test", tmp_path)
    python = Path(sys.executable).name
    assert f"carla-test is run by an interpreter: {python} ./carla-test (process {pid})" in said
    said = _run("carla-tes", tmp_path)
    assert "no process carla-tes runs; found instead: " in said
    assert f"{python} ./carla-test (process {pid})" in said


def _run(process: str, folder: Path) -> str:
    command = ("run", "--plant", "process", "--process", process, "--duration", "1", "--no-live")
    return subprocess.run(
        (sys.executable, "-m", "kapellmeister", *command, "--state-dir", str(folder / "state")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ).stdout

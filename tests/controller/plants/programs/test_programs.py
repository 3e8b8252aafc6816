"""Which processes the programs of a configuration mean, as these come, go and change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from proc_tree import put_process

from controller.config.config import Config, SidecarSection, load_config
from controller.errors import ConfigurationError, ThreadGoneError
from controller.linux.process_id import ProcessId, identify_process, lives
from controller.plants.programs.matching import is_id
from controller.plants.programs.processes import named
from controller.plants.programs.programs import Programs

ENDED = "Z"


def now(programs: Programs) -> set[ProcessId]:
    programs.renew()
    return set(programs.processes())


def test_an_id_means_the_program_that_had_it_at_the_start(tmp_path: Path) -> None:
    meant = put_process(tmp_path, 7, "named", start_time=10)
    programs = Programs(["7"], root=tmp_path)
    assert now(programs) == {meant}
    put_process(tmp_path, 7, "innocent", start_time=20)
    assert programs.processes() == ()
    assert now(programs) == set()


def test_an_id_that_nobody_has_at_the_start_means_nobody_later(tmp_path: Path) -> None:
    programs = Programs(["7"], root=tmp_path)
    put_process(tmp_path, 7, "innocent", start_time=20)
    assert now(programs) == set()


def test_what_began_after_its_id_was_named_is_not_meant(tmp_path: Path) -> None:
    process = put_process(tmp_path, 7, "innocent", start_time=500)
    assert now(Programs(["7"], 499, tmp_path)) == set()
    assert now(Programs(["7"], 500, tmp_path)) == {process}
    assert now(Programs(["innocent"], 499, tmp_path)) == {process}


def test_a_program_of_an_id_that_calls_exec_goes_on_as_the_same(tmp_path: Path) -> None:
    meant = put_process(tmp_path, 7, "sh", exe="/bin/sh", start_time=10, image=("1", "2", "3"))
    programs = Programs(["7"], root=tmp_path)
    put_process(tmp_path, 7, "synth", exe="/opt/synth", start_time=10, image=("4", "5", "6"))
    assert now(programs) == {meant}


def test_a_program_stays_found_whatever_it_is_called_later(tmp_path: Path) -> None:
    meant = put_process(tmp_path, 7, "studio", exe="/opt/studio", argv=("studio",))
    programs = Programs(["studio"], root=tmp_path)
    assert now(programs) == {meant}
    put_process(tmp_path, 7, "engine", exe="/opt/.trash/x (deleted)", argv=("engine",))
    assert now(programs) == {meant}
    put_process(tmp_path, 7, "engine", exe="/opt/other", argv=("engine",), start_time=2)
    assert now(programs) == set()


def test_a_program_that_was_found_by_name_and_calls_exec_is_another(tmp_path: Path) -> None:
    """As a child is that a program forks to start another: for a moment it has its name."""
    put_process(tmp_path, 7, "studio", exe="/opt/studio", image=("1", "2", "3"))
    programs = Programs(["studio"], root=tmp_path)
    assert len(now(programs)) == 1
    put_process(tmp_path, 7, "ffmpeg", exe="/usr/bin/ffmpeg", image=("4", "5", "6"))
    assert now(programs) == set()
    put_process(tmp_path, 7, "studio", exe="/opt/studio", image=("7", "8", "9"))
    assert len(now(programs)) == 1


def test_a_group_means_those_that_are_in_it_now(tmp_path: Path) -> None:
    programs = Programs(["cgroup:/studio"], root=tmp_path)
    member = put_process(tmp_path, 7, "synth", cgroup="0::/studio/live")
    put_process(tmp_path, 8, "backup", cgroup="0::/system")
    assert now(programs) == {member}
    put_process(tmp_path, 7, "synth", cgroup="0::/system")
    assert now(programs) == set()


def test_a_process_id_of_a_group_that_is_used_again_means_nobody_at_once(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "synth", cgroup="0::/studio", start_time=10)
    programs = Programs(["cgroup:/studio"], root=tmp_path)
    assert len(now(programs)) == 1
    put_process(tmp_path, 7, "innocent", cgroup="0::/system", start_time=20)
    assert programs.processes() == ()


def test_another_program_of_the_same_interpreter_is_not_taken_later(tmp_path: Path) -> None:
    python = {"exe": "/usr/bin/python3.11"}
    first = put_process(tmp_path, 7, "python3", argv=("python3", "carla"), **python)
    programs = Programs(["python3"], root=tmp_path)
    assert now(programs) == {first}
    put_process(tmp_path, 8, "python3", argv=("python3", "backup.py"), **python)
    assert now(programs) == {first}


def test_what_has_ended_and_was_not_waited_for_is_gone(tmp_path: Path) -> None:
    process = put_process(tmp_path, 7, "studio")
    assert lives(process, tmp_path)
    put_process(tmp_path, 7, "studio", state=ENDED)
    assert not lives(process, tmp_path)
    put_process(tmp_path, 7, "studio", state=ENDED, threads=3)
    assert lives(process, tmp_path)


@pytest.mark.parametrize("stat", [b"", b"7", b"7 (x) S", b"7 (x) S a b c", b"\0\xff" * 50])
def test_a_process_of_which_the_kernel_tells_nonsense_is_gone(tmp_path: Path, stat: bytes) -> None:
    put_process(tmp_path, 7)
    (tmp_path / "7/stat").write_bytes(stat)
    with pytest.raises(ThreadGoneError):
        identify_process(7, tmp_path)
    assert now(Programs(["program"], root=tmp_path)) == set()


@pytest.mark.parametrize("name", ["", " "])
def test_a_program_without_a_name_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f"[sidecar]\nprocesses = ['{name}']\n")
    with pytest.raises(ConfigurationError, match=r"sidecar.processes.0: names no program"):
        load_config(path)


def test_a_configuration_with_a_name_that_is_no_text_can_be_kept() -> None:
    config = Config.model_construct(sidecar=SidecarSection(processes=("synth\udcff",)))
    assert config.sidecar.processes == ("synth\udcff",)
    assert r'"processes":["synth\\xff"]' in config.model_dump_json()


@pytest.mark.parametrize("program", ["9" * 11, "9" * 5000, "٣", "0", "-7"])
def test_what_no_process_can_have_for_its_number_is_a_name(tmp_path: Path, program: str) -> None:
    assert not is_id(program)
    assert named((program,), tmp_path) == ()


def test_this_process_is_never_among_those_named():
    assert os.getpid() not in named([str(os.getpid()), "python", "pytest"])
    assert named([]) == ()

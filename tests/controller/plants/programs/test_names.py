"""A program is found by any name that ps, or a person, has for it, and by no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from proc_tree import put_process

from controller.plants.programs.matching import is_id
from controller.plants.programs.near_matches import none_runs, remark
from controller.plants.programs.processes import named, others

PYTHON = "/usr/bin/python3.11"
ROOMY = "/opt/pianoteq 6/pianoteq 6"


def found_by(root: Path, name: str) -> set[int]:
    return {each.pid for each in named((name,), root)}


@pytest.mark.parametrize(
    "name", ["pianoteq 6", "Pianoteq STAGE", ROOMY, "pianoteq 6/pianoteq 6", "./pianoteq 6"]
)
def test_a_name_may_have_spaces_and_be_changed_by_the_program(tmp_path: Path, name: str) -> None:
    put_process(tmp_path, 7, "Pianoteq STAGE", exe=ROOMY, argv=("./pianoteq 6", "--fast"))
    assert found_by(tmp_path, name) == {7}


@pytest.mark.parametrize(
    "name", ["my-studio-renderer", "my-studio-rende", "/opt/my-studio-renderer"]
)
def test_an_executable_that_was_replaced_keeps_its_name(tmp_path: Path, name: str) -> None:
    put_process(
        tmp_path,
        7,
        "my-studio-rende",
        exe="/opt/my-studio-renderer (deleted)",
        argv=("./my-studio-renderer",),
    )
    assert found_by(tmp_path, name) == {7}


def test_a_renamed_executable_is_known_by_what_it_was_called_as(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "engine", exe="/opt/studio.old", argv=("/opt/studio",))
    assert found_by(tmp_path, "studio") == {7}
    assert found_by(tmp_path, "/opt/studio") == {7}


def test_a_name_that_was_cut_off_is_found_whole_where_nothing_else_tells_it(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "my-studio-rende")
    put_process(tmp_path, 8, "my-studio-rende", exe="/opt/my-studio-render-farm")
    assert found_by(tmp_path, "my-studio-renderer") == {7}
    assert found_by(tmp_path, "my-studio-render-farm") == {7, 8}


@pytest.mark.parametrize(
    "argv",
    [
        ("python3", "./carla"),
        ("python3", "-u", "/usr/bin/carla", "--gui"),
        ("python3", "-X", "dev", "-W", "ignore", "carla"),
        ("/usr/bin/python3", "/usr/share/carla/carla.py"),
        ("python3", "-m", "carla"),
        ("python3", "-Im", "carla.main", "--gui"),
        ("python3", "-mcarla"),
        ("python3", "/opt/carla/__main__.py"),
        ("python3", "--", "carla"),
    ],
)
def test_what_python_runs_is_found_by_its_own_name(tmp_path: Path, argv: tuple[str, ...]) -> None:
    put_process(tmp_path, 7, "python3", exe=PYTHON, argv=argv)
    assert found_by(tmp_path, "carla") == {7}


@pytest.mark.parametrize(
    ("exe", "argv", "name"),
    [
        ("/usr/bin/perl", ("perl", "-w", "-I", "lib", "synth.pl"), "synth"),
        ("/usr/bin/bash", ("bash", "-x", "-o", "pipefail", "./start.sh"), "start.sh"),
        ("/usr/bin/dash", ("sh", "start.sh"), "start.sh"),
        ("/usr/bin/node", ("node", "--inspect", "-r", "esm", "mix.js"), "mix"),
        ("/usr/bin/bun", ("bun", "run", "mix.ts"), "mix.ts"),
        ("/opt/jdk/bin/java", ("java", "-Xmx1g", "-cp", "a.jar", "-jar", "x.jar"), "x"),
        ("/opt/jdk/bin/java", ("java", "-cp", "a.jar", "org.x.Main"), "org.x.Main"),
        ("/opt/wine/wine64-preloader", (r"C:\Program Files\x\x.exe", "song.wav"), "x.exe"),
        ("/opt/wine/wine64-preloader", ("/opt/wine/wine64", "x.exe"), "x"),
        ("/usr/bin/valgrind.bin", ("valgrind", "--tool=memcheck", "./player"), "player"),
        ("/lib64/ld-linux-x86-64.so.2", ("/lib64/ld-linux-x86-64.so.2", "./player"), "player"),
    ],
)
def test_what_other_interpreters_run_is_found_too(
    tmp_path: Path, exe: str, argv: tuple[str, ...], name: str
) -> None:
    put_process(tmp_path, 7, "interpreter", exe=exe, argv=argv)
    assert found_by(tmp_path, name) == {7}


def test_a_script_of_an_interpreter_that_nobody_knows_is_told_by_the_kernel(tmp_path: Path) -> None:
    script = tmp_path / "my-studio-renderer.seq"
    script.write_text("#!/opt/sequencer -q\n")
    argv = ("/opt/sequencer", "-q", str(script))
    put_process(tmp_path, 7, "my-studio-rende", exe="/opt/sequencer", argv=argv)
    assert found_by(tmp_path, "my-studio-renderer.seq") == {7}


@pytest.mark.parametrize(
    ("comm", "argv"),
    [
        ("vim", ("vim", "renderer.c")),
        ("vim", ("vim", "renderer")),
        ("grep", ("grep", "renderer", "/etc/passwd")),
        ("python3", ("python3", "-c", "import renderer", "renderer")),
        ("bash", ("bash", "-c", "./renderer --once; true")),
        ("tail", ("tail", "-f", "/var/log/renderer")),
        ("timeout", ("timeout", "9", "kapellmeister", "run", "--process", "renderer")),
        ("renderer-2", ("renderer-2",)),
        ("prerenderer", ("/opt/prerenderer",)),
    ],
)
def test_what_merely_mentions_a_name_is_not_it(
    tmp_path: Path, comm: str, argv: tuple[str, ...]
) -> None:
    put_process(tmp_path, 7, comm, exe=f"/usr/bin/{comm}", argv=argv)
    assert found_by(tmp_path, "renderer") == set()


def test_a_path_means_the_program_that_lies_there(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "engine", exe="/opt/a/engine", argv=("engine",))
    put_process(tmp_path, 8, "engine", exe="/opt/b/engine", argv=("engine",))
    assert found_by(tmp_path, "/opt/a/engine") == {7}
    assert found_by(tmp_path, "b/engine") == {8}
    assert found_by(tmp_path, "engine") == {7, 8}


def test_a_command_line_may_be_given_as_ps_shows_it(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "python3", exe=PYTHON, argv=("python3", "./mix", "--studio", "a b"))
    put_process(tmp_path, 8, "python3", exe=PYTHON, argv=("python3", "./mixer"))
    assert found_by(tmp_path, "python3 ./mix --studio a b") == {7}
    assert found_by(tmp_path, "python3 ./mix") == {7}


def test_a_title_that_a_program_gave_itself_is_found_by_its_first_word(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "x", exe=PYTHON, argv=("renderer: worker 3",))
    assert found_by(tmp_path, "renderer") == {7}


def test_a_suffix_may_be_left_out_unless_another_has_the_name(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "bash", exe="/usr/bin/bash", argv=("bash", "carla.sh"))
    assert found_by(tmp_path, "carla") == {7}
    put_process(tmp_path, 8, "carla", exe="/usr/bin/carla", argv=("carla",))
    assert found_by(tmp_path, "carla") == {8}
    assert found_by(tmp_path, "carla.sh") == {7}


def test_names_that_are_no_text_harm_nothing(tmp_path: Path) -> None:
    name = os.fsdecode(b"synth\xff")
    put_process(tmp_path, 7, name, exe=f"/opt/{name}", argv=(name, "\x1b[2J\n"))
    assert found_by(tmp_path, name) == {7}
    put_process(tmp_path, 8, "a) (S 1 1", exe="/opt/odd", argv=())
    assert found_by(tmp_path, "a) (S 1 1") == {8}
    assert none_runs(["synth"], others(tmp_path)) == (
        r"no process synth runs; found instead: synth\xff \x1b[2J\n (process 7)"
    )


def test_whoever_runs_a_script_is_told(tmp_path: Path) -> None:
    put_process(tmp_path, 123, "python3", exe=PYTHON, argv=("/usr/bin/python3", "./carla"))
    running = others(tmp_path)
    assert remark("carla", running) == (
        "carla is run by an interpreter: python3 ./carla (process 123)"
    )
    assert remark("python3", running) == (
        "python3 is an interpreter, and runs: python3 ./carla (process 123)"
    )
    assert remark("123", running) is None


def test_what_a_script_has_started_is_told_since_its_name_does_not_mean_it(tmp_path: Path) -> None:
    put_process(tmp_path, 123, "studio.sh", exe="/bin/dash", argv=("/bin/sh", "./studio.sh"))
    put_process(tmp_path, 124, "engine", exe="/opt/engine", argv=("/opt/engine",), parent=123)
    assert remark("studio.sh", others(tmp_path)) == (
        "studio.sh is run by an interpreter: sh ./studio.sh (process 123), which started "
        "engine (process 124): name that, where it plays"
    )


def test_a_name_of_several_programs_is_told_and_means_all(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "engine", exe="/opt/a/engine", argv=("/opt/a/engine",))
    put_process(tmp_path, 8, "engine", exe="/opt/a/engine", argv=("/opt/a/engine", "-2"))
    assert remark("engine", others(tmp_path)) is None
    put_process(tmp_path, 9, "engine", exe="/opt/b/engine", argv=("/opt/b/engine",))
    assert remark("engine", others(tmp_path)) == (
        "engine is the name of several programs: engine (process 7), engine -2 (process 8), "
        "engine (process 9)"
    )


def test_an_interpreters_name_that_fits_several_programs_means_none(tmp_path: Path) -> None:
    put_process(tmp_path, 12, "python3", exe=PYTHON, argv=("python3", "./carla"))
    put_process(tmp_path, 13, "python3", exe=PYTHON, argv=("python3", "./carla", "--worker"))
    assert found_by(tmp_path, "python3") == {12, 13}
    put_process(tmp_path, 14, "python3", exe=PYTHON, argv=("python3", "backup.py"))
    assert found_by(tmp_path, "python3") == set()
    assert none_runs(["python3"], others(tmp_path)) == (
        "python3 is an interpreter, and runs several programs: python3 ./carla (process 12), "
        "python3 ./carla --worker (process 13), python3 backup.py (process 14)"
    )


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Carla", "carla-rack (process 7)"),
        ("carla", "carla-rack (process 7)"),
        ("carla-rack-2.5", "carla-rack (process 7)"),
        ("dsp_engine", "a thread of carla-rack (process 7)"),
        ("71", "a thread of carla-rack (process 7)"),
        ("renderer", "only the command line of vim renderer.c (process 8)"),
    ],
)
def test_what_was_found_instead_is_told(tmp_path: Path, name: str, instead: str) -> None:
    put_process(tmp_path, 7, "carla-rack", exe="/opt/carla-rack", argv=("carla-rack",))
    (tmp_path / "7/task/71").mkdir(parents=True)
    (tmp_path / "7/task/71/comm").write_text("dsp_engine\n")
    put_process(tmp_path, 8, "vim", exe="/usr/bin/vim", argv=("vim", "renderer.c"))
    assert none_runs([name], others(tmp_path)) == (
        f"no process {name} runs; found instead: {instead}"
    )


def test_whoever_started_us_with_the_name_is_not_told_of(tmp_path: Path) -> None:
    put_process(tmp_path, os.getppid(), "timeout", argv=("timeout", "9", "run", "renderer"))
    assert none_runs(["renderer"], others(tmp_path)) == "no process renderer runs"


def test_a_number_that_another_program_has_by_now_is_told(tmp_path: Path) -> None:
    put_process(tmp_path, 7, "innocent", argv=("innocent",), start_time=500)
    running = others(tmp_path)
    assert remark("7", running, named_at=499) == (
        "process 7 has ended, and another has its number: innocent (process 7); it is left out"
    )
    assert remark("7", running, named_at=500) is None
    assert none_runs(["9"], running) == "no process 9 runs"


@pytest.mark.parametrize("program", ["8", "kworker/0:1", "[kworker/0:1]"])
def test_a_thread_of_the_kernel_is_no_program_and_said_to_be_none(
    tmp_path: Path, program: str
) -> None:
    put_process(tmp_path, 8, "kworker/0:1", parent=2, flags=0x0020_8040, cgroup="0::/studio")
    running, told = others(tmp_path), "kworker/0:1 (process 8) is a thread of the kernel"
    assert named((program, "cgroup:/studio"), tmp_path) == ()
    assert none_runs([program, "synth"], running) == (
        f"{told}, and no program; no process synth runs"
    )
    assert remark(program, running) == f"{told}, and no program; it is left out"


def test_a_program_that_is_called_like_a_thread_of_the_kernel_is_meant(tmp_path: Path) -> None:
    put_process(tmp_path, 8, "kswapd0", parent=2, flags=0x0020_0000)
    player = put_process(tmp_path, 9, "kswapd0", exe="/opt/kswapd0", argv=("kswapd0",))
    assert named(("kswapd0",), tmp_path) == (player,)
    assert remark("kswapd0", others(tmp_path)) is None


def test_what_is_no_process_id_is_a_name() -> None:
    for name in ("0", "007", "+5", "-5", "\u0663", "1e3", "9" * 5000):
        assert not is_id(name)
    assert is_id("4194304")


def test_neither_this_process_nor_its_helpers_are_found(tmp_path: Path) -> None:
    own = os.getpid()
    line = ("python3", "/usr/bin/kapellmeister", "run")
    watchdog = ("python3", "-P", "-S", "-m", "controller.watchdog.watchdog", str(own))
    put_process(tmp_path, own, "python3", exe=PYTHON, argv=line)
    put_process(tmp_path, 101, "python3", exe=PYTHON, argv=line, parent=own)
    put_process(tmp_path, 102, "python3", exe=PYTHON, argv=watchdog, parent=own)
    put_process(tmp_path, 103, "pw-top", exe="/usr/bin/pw-top", argv=("pw-top",), parent=102)
    put_process(tmp_path, 104, "python3", exe=PYTHON, argv=("python3", "play.py"), parent=own)
    put_process(tmp_path, 105, "pw-top", exe="/usr/bin/pw-top", argv=("pw-top",), parent=1)
    assert {each.process.pid for each in others(tmp_path)} == {104, 105}
    assert named((str(own), "102", "kapellmeister"), tmp_path) == ()


def test_a_script_is_one_program_however_its_place_is_spelt(tmp_path: Path) -> None:
    for pid, argv in ((12, ("python3", "./carla")), (13, ("python3", "/opt/studio/carla"))):
        put_process(tmp_path, pid, "python3", exe=PYTHON, argv=argv)
        (tmp_path / str(pid) / "cwd").symlink_to("/opt/studio")
    assert found_by(tmp_path, "python3") == {12, 13}
    put_process(tmp_path, 14, "python3", exe=PYTHON, argv=("python3", "./carla"))
    (tmp_path / "14/cwd").symlink_to("/opt/other")
    assert found_by(tmp_path, "python3") == set()

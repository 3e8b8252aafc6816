"""Ctrl-C: one line, status 130, and what is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from controller.errors import Interruption
from kapellmeister import cli
from kapellmeister.terminal.interruption import also_terminated, awaited, keeping


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Signals as they are by default: a job in the background, or under nohup, ignores some."""
    defaults = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_while_the_program_loads_it_ends_on_the_spot() -> None:
    code = (
        "from kapellmeister.terminal.interruption import at_once\nimport signal\nwith at_once():\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}    signal.raise_signal(signal.SIGINT)\nprint('went on')"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "kapellmeister: interrupted\n"


def made_into(error: type[BaseException]) -> None:
    try:
        press_ctrl_c()
    except KeyboardInterrupt as interrupt:
        raise error from interrupt


def swallowed() -> None:
    with suppress(KeyboardInterrupt):
        press_ctrl_c()


@pytest.mark.parametrize("made_of_it", [SystemError, SystemExit, ValueError])
def test_it_is_an_interruption_whatever_a_library_makes_of_it(made_of_it) -> None:
    with pytest.raises(Interruption), awaited():
        made_into(made_of_it)


def test_it_is_an_interruption_also_where_a_library_swallows_it() -> None:
    with pytest.raises(Interruption), awaited():
        swallowed()


def test_an_error_that_nobody_interrupted_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="mine"), awaited():
        raise ValueError("mine")


def test_what_is_kept_of_the_work_is_said() -> None:
    said = pytest.raises(Interruption, match=r"^interrupted; half of it$")
    with said, awaited(), keeping("half of it"):
        press_ctrl_c()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_has_processes_to_end_is_broken_off_by_other_signals_too(number) -> None:
    with pytest.raises(Interruption), awaited(), also_terminated():
        signal.raise_signal(number)
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_program_that_asked_for_nothing_ends_with_whoever_started_it() -> None:
    code = (
        "import os, signal, subprocess\n"
        "from controller.linux.prctl import dying_with_parent\n"
        "subprocess.Popen(dying_with_parent('sleep', '60'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # the pipe is at its end only once the last of those who write to it is gone
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=20)
    assert done.returncode == -signal.SIGKILL


def test_whoever_ignores_it_is_left_in_peace() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with awaited():
            press_ctrl_c()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_command_ends_in_one_line_and_with_status_130(monkeypatch, capfd) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("sys.argv", ["kapellmeister", "simulate", "--trace", "ramp:1h"])
    monkeypatch.setattr("simulators.simulate.simulate", lambda *_: press_ctrl_c())
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 130
    assert capfd.readouterr() == ("", "kapellmeister: interrupted\n")


def test_an_interrupted_comparison_says_how_to_go_on(monkeypatch, capfd, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    command = ["compare", "--traces", "ramp:1h", "--policies", "static", "--resume", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["kapellmeister", *command])
    monkeypatch.setattr("simulators.comparison.comparison.compare", lambda *_: press_ctrl_c())
    try:
        with pytest.raises(SystemExit):
            cli.main()
    finally:
        signal.signal(signal.SIGINT, before)
    said = f"interrupted; finished jobs are kept: the same command with --resume {tmp_path}"
    assert said in capfd.readouterr().err

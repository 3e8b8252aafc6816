"""Processes are ended by what they are, and not by a number that another may have by now."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from controller.errors import ThreadGoneError, ThreadHiddenError
from controller.linux import process_id
from controller.linux.process_id import ProcessId, has_ended, identify_process, kill, lives


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(("sleep", "60")) as sleeping:
        yield sleeping
        sleeping.kill()


def test_a_process_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    kill(identify_process(sleeper.pid))
    assert sleeper.wait(5.0) == -9


def test_a_process_that_began_later_is_another(sleeper: subprocess.Popen[bytes]) -> None:
    meant = identify_process(sleeper.pid)
    kill(ProcessId(meant.pid, meant.start_time - 1))
    assert sleeper.poll() is None


def test_a_process_that_ends_while_it_is_looked_at_is_no_error(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lived(_: ProcessId) -> bool:
        sleeper.kill()
        sleeper.wait()
        return True

    meant = identify_process(sleeper.pid)
    monkeypatch.setattr(process_id, "lives", lived)
    kill(meant)
    kill(meant)
    assert sleeper.returncode == -9


@pytest.mark.parametrize("refusal", [FileNotFoundError, PermissionError])
def test_a_process_that_proc_hides_has_not_ended(
    monkeypatch: pytest.MonkeyPatch, refusal: type[OSError]
) -> None:
    def hides(path: str) -> bytes:
        raise refusal(path)

    own = identify_process(os.getpid())
    monkeypatch.setattr(process_id, "_read", hides)
    with pytest.raises(ThreadHiddenError, match="remount,hidepid=0"):
        identify_process(own.pid)
    assert (lives(own), has_ended(own)) == (False, False)


def test_a_process_that_nobody_has_the_number_of_has_ended() -> None:
    nobody = ProcessId(4_194_304, 1)  # beyond the largest number
    with pytest.raises(ThreadGoneError) as gone:
        identify_process(nobody.pid)
    assert not isinstance(gone.value, ThreadHiddenError)
    assert has_ended(nobody)

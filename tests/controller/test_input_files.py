"""A file that a user names is read once, in full, and never waited for without end."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from controller.config.config import load_config
from controller.errors import ConfigurationError, SoundFileError, TraceError
from controller.input_files import read_input, read_toml
from controller.load.csv_trace import read_trace
from controller.load.journal_trace import is_journal
from controller.sound.files import load_sound
from controller.workloads.hrir import HrtfFileError, load_sofa
from simulators.plant.faults import ScenarioError, read_scenario


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_what_a_command_writes_into_a_pipe_is_the_configuration() -> None:
    """A shell hands over the output of `<(command)` so; it can be read but once."""
    reading, writing = os.pipe()
    os.write(writing, b"[loop]\ninterval_s = 2.0\n")
    os.close(writing)
    try:
        config = load_config(Path(f"/dev/fd/{reading}"))
    finally:
        os.close(reading)
    assert config.loop.interval_s == 2.0


def test_a_pipe_is_read_to_its_end(pipe: Path) -> None:
    writer = threading.Thread(target=pipe.write_bytes, args=(bytes(300_000),))
    writer.start()
    assert read_input(pipe) == bytes(300_000)
    writer.join()


def test_a_pipe_that_nobody_writes_into_is_given_up(pipe: Path) -> None:
    with pytest.raises(OSError, match=r"nothing was written into it for 0\.01 s"):
        read_input(pipe, patience_s=0.01)


def test_a_file_without_end_is_refused_and_fills_no_memory() -> None:
    with pytest.raises(ConfigurationError, match=r"^/dev/zero: file: longer than 4 MiB; name a "):
        load_config(Path("/dev/zero"))
    with pytest.raises(ScenarioError, match="longer than 4 MiB; name another file"):
        read_scenario(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"x = " + b"[" * 20_000, "nested too deeply"),
        (b"x = " + b"9" * 6_000, "a number has too many digits"),
        (b"x = ", "Invalid value"),
        (b"\xff\xfex\0", "'utf-8' codec can't decode"),
    ],
)
def test_what_is_no_toml_in_any_way_is_refused(tmp_path: Path, text: bytes, why: str) -> None:
    file = tmp_path / "odd.toml"
    file.write_bytes(text)
    with pytest.raises(ValueError, match=re.escape(why)):
        read_toml(file)
    with pytest.raises(ConfigurationError, match=re.escape(f"{file}: file: not TOML: {why}")):
        load_config(file)


def test_a_pipe_in_place_of_a_trace_a_sound_or_a_head_keeps_nobody_waiting(pipe: Path) -> None:
    assert not is_journal(pipe)
    with pytest.raises(TraceError, match="no regular file; write it into one, and name that"):
        read_trace(pipe)
    with pytest.raises(SoundFileError, match="neither a file nor a folder"):
        load_sound(pipe, 48_000)
    with pytest.raises(HrtfFileError, match="no regular file"):
        load_sofa(pipe, 48_000)

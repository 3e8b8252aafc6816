"""Results are never written over the files that runs keep themselves, however they are reached."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controller.config.config import Config
from controller.errors import ConfigurationError, RecordingError
from controller.journal.journal import Journal
from kapellmeister.cli import app
from kapellmeister.running.controlled.builtin import pipeline_spec
from kapellmeister.running.options import RunOptions
from kapellmeister.running.own_files import own_file

OURS = (
    "journal.sqlite3",
    "journal.sqlite3-wal",
    "journal.sqlite3-shm",
    "controller.lock",
    "pipeline.sock",
    "pipeline.lock",
    "pipeline.log",
    "pipeline-summary.json",
    "pictures/stream-0.png",
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with each of our files, and somebody else's."""
    folder = tmp_path / "state"
    (folder / "pictures").mkdir(parents=True)
    for name in OURS[1:]:
        (folder / name).touch()
    Journal.open(folder / "journal.sqlite3").close()
    (folder / "mine.json").touch()
    return folder


@pytest.mark.parametrize("name", OURS)
def test_a_file_of_ours_is_known_by_its_name_and_through_links(state: Path, name: str) -> None:
    (state / name).touch()  # SQLite takes its own away
    soft, hard = state.parent / "soft.json", state.parent / "hard.json"
    soft.symlink_to(state / name)
    os.link(state / name, hard)
    through = state.parent / "way"
    through.symlink_to(state)
    for path in (state / name, soft, hard, through / ".." / "state" / name):
        assert own_file(path, state) is not None


@pytest.mark.parametrize("name", OURS)
def test_a_file_of_ours_is_known_before_it_is_there(tmp_path: Path, name: str) -> None:
    soft = tmp_path / "soft.json"
    soft.symlink_to(tmp_path / "state" / name)
    assert own_file(tmp_path / "state" / name, tmp_path / "state") is not None
    assert own_file(soft, tmp_path / "state") is not None


def test_what_others_put_beside_our_files_is_theirs(state: Path) -> None:
    for name in ("mine.json", "new.json", "journal.json", "pictures.json"):
        assert own_file(state / name, state) is None
    assert own_file(state.parent / "controller.lock", state) is None


def test_a_journal_is_known_in_any_directory(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    kept = tmp_path / "kept.db"
    os.link(state / "journal.sqlite3", kept)
    (tmp_path / "kept.db-wal").touch()
    assert own_file(kept, other) == "a journal of runs"
    assert own_file(tmp_path / "kept.db-wal", other) == "a journal of runs"
    (tmp_path / "notes.db").write_bytes(b"SQLite format 3\0" + bytes(84))
    assert own_file(tmp_path / "notes.db", other) is None


@pytest.mark.parametrize(
    "command",
    ["run --duration 1 --no-live", "explain", "explain --shadow-report 7d", "doctor", "bench loop"],
)
def test_a_command_refuses_its_journal_as_the_place_of_its_result(
    state: Path, command: str
) -> None:
    journal = state / "journal.sqlite3"
    before = journal.read_bytes()
    done = CliRunner().invoke(app, [*command.split(), "--json", str(journal)])
    assert isinstance(done.exception, ConfigurationError)
    assert str(done.exception) == (
        f"command line: --json {journal}: it is a journal of runs; name another"
    )
    assert journal.read_bytes() == before


def test_a_recording_is_refused_there_before_anything_starts(state: Path) -> None:
    options = RunOptions(record=state / "controller.lock", state_directory=state)
    with pytest.raises(RecordingError) as refused:
        pipeline_spec(options, Config(), "cpu")
    assert str(refused.value) == (
        f"--record {state}/controller.lock: it is a file that runs keep in {state}; name another"
    )

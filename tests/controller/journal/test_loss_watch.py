"""A journal that is deleted or replaced while a run records in it is told of, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.journal.loss_watch import LossWatch


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    journal, lock = tmp_path / "journal.sqlite3", tmp_path / "controller.lock"
    journal.touch()
    lock.touch()
    return journal, lock


def test_nothing_is_said_while_the_files_are_there(files: tuple[Path, Path]) -> None:
    said = list[str]()
    watch = LossWatch(said.append, *files)
    files[0].write_text("longer")
    assert watch.warn() is None
    assert watch.lost is None
    assert said == []


def test_a_deleted_file_is_told_of_once(files: tuple[Path, Path]) -> None:
    said = list[str]()
    watch = LossWatch(said.append, *files)
    files[1].unlink()
    assert watch.warn() == (
        f"journal {files[1]}: it was deleted while a run goes on, which is recorded nowhere any "
        "more; leave the files of a run alone until it ends; the next one makes them anew"
    )
    assert watch.warn() is None
    assert said == [str(watch.lost)]


def test_a_file_in_its_place_is_another(files: tuple[Path, Path]) -> None:
    watch = LossWatch(print, *files)
    other = files[0].with_name("other")
    other.touch()
    other.replace(files[0])
    assert watch.warn() is not None
    files[0].unlink()
    assert watch.warn() is None
    assert watch.lost is not None

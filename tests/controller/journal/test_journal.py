"""The journal: what is written is read back, whatever happened in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from fakes import Rig, Scripted, action

from controller.commands import Pause, Resume
from controller.errors import JournalError
from controller.journal.command_queue import CommandQueue
from controller.journal.database import Database
from controller.journal.journal import Journal
from controller.journal.reader import Extent, JournalReader
from controller.linux.scheduling import Scheduling, ThreadId
from controller.watchdog.restoration import Original
from policies.proposal import Verdict

THREAD = ThreadId(4194304, 123)
ORIGINAL = Original(Scheduling(os.SCHED_OTHER, 0, 0, frozenset({0})), 77)
DAY_S = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def record(journal: Journal, count: int, rig: Rig | None = None) -> list:
    rig = rig or Rig(Scripted(action("nodes", 2)))
    ticks = []
    for _ in range(count):
        ticks.append(rig.tick())
        journal.record(ticks[-1], rig.loop.saved)
    return ticks


def test_a_tick_is_read_back_as_it_was_written(path):
    with Journal.open(path) as journal:
        run = journal.start_run("fake", "scripted", '{"a": 1}')
        written = record(journal, 4)
    with JournalReader(path) as reader:
        assert list(reader.ticks(run)) == written
        assert reader.run().config == {"a": 1}
        assert reader.extent(run) == Extent(4, 1001.0, 1004.0)


def test_a_run_that_was_cut_short_has_no_end_and_no_summary(path):
    with Journal.open(path) as journal:
        journal.start_run("fake", "scripted", "{}")
        journal.start_run("fake", "scripted", "{}")
        journal.end_run('{"miss_rate": 0.5}')
    with JournalReader(path) as reader:
        first, second = reader.runs()
    assert (first.ended_at_s, first.summary) == (None, None)
    assert second.ended_at_s is not None
    assert second.summary == {"miss_rate": 0.5}


def test_only_eventful_ticks_are_read_when_asked(path):
    with Journal.open(path) as journal:
        run = journal.start_run("fake", "scripted", "{}")
        written = record(journal, 8)
    with JournalReader(path) as reader:
        eventful = [tick.number for tick in reader.ticks(run, eventful=True)]
    assert len(eventful) < 8
    assert eventful == [
        tick.number for tick in written if tick.changes or tick.verifications or tick.holds
    ]


def test_the_next_start_goes_on_from_what_was_last_saved_of_that_plant(path):
    rig = Rig(Scripted(action("nodes", 2)))
    with Journal.open(path) as journal:
        journal.start_run("fake", "scripted", "{}")
        record(journal, 3, rig)
    with Journal.open(path) as journal:
        assert journal.last_saved("another") is None
        again = Rig(Scripted())
        again.loop.resume(journal.last_saved("fake"))
    assert again.loop.saved() == rig.loop.saved()


def test_a_journal_that_an_earlier_program_wrote_is_read_and_gone_on_from(path):
    shutil.copy(Path(__file__).with_name("journal_of_0_1_0.sqlite3"), path)
    with JournalReader(path) as reader:
        ticks = list(reader.ticks(reader.runs()[-1].number))
    assert [tick.number for tick in ticks] == list(range(1, 9))
    assert [(each.action.knob, each.action.value) for each in ticks[0].changes] == [("nodes", 2)]
    assert [each.verdict for each in ticks[3].verifications] == [Verdict.CONFIRMED]
    again = Rig(Scripted())
    with Journal.open(path) as journal:
        again.loop.resume(journal.last_saved("fake"))
    assert again.tick().number == 9


def test_what_a_forecaster_learned_stays_until_it_is_recorded_anew(path):
    rig = Rig(Scripted())
    with Journal.open(path) as journal:
        journal.start_run("fake", "scripted", "{}")
        for learned in (lambda: {"mine": 1}, None, None):
            journal.record(rig.tick(), lambda: {"number": 7}, learned)
        assert journal.last_saved("fake") == {"number": 7, "forecaster": {"mine": 1}}
        journal.record(rig.tick(), lambda: {"number": 8}, lambda: {"mine": 2})
        assert journal.last_saved("fake") == {"number": 8, "forecaster": {"mine": 2}}


def test_a_recorded_tick_cannot_be_changed(path):
    with Journal.open(path) as journal:
        journal.start_run("fake", "scripted", "{}")
        record(journal, 1)
        with pytest.raises(JournalError, match="never changed"):
            journal._database.execute("UPDATE ticks SET time_s = 0")


def test_runs_that_ended_long_ago_are_deleted_with_their_ticks(path):
    with Journal.open(path) as journal:
        journal._now_s = lambda: 1000.0
        journal.start_run("fake", "scripted", "{}")
        record(journal, 2)
        journal.end_run("{}")
        journal._now_s = lambda: 1000.0 + 31 * DAY_S
        recent = journal.start_run("fake", "scripted", "{}")
        assert journal.prune(keep_days=30) == 1
        assert journal.last_saved("fake") is not None
    with JournalReader(path) as reader:
        assert [run.number for run in reader.runs()] == [recent]
        assert list(reader.ticks(recent - 1)) == []


def test_what_was_found_of_threads_outlives_the_process(path):
    with Journal.open(path) as journal:
        journal.keep_originals({THREAD: ORIGINAL})
    with Journal.open(path) as journal:
        assert journal.left_over() == {THREAD: ORIGINAL}
        journal.keep_originals({})
        assert journal.left_over() == {}


def test_how_settings_are_restored_outlives_the_process_beside_the_threads(path):
    command = ("env", "A=b", "put", "back")
    with Journal.open(path) as journal:
        journal.keep_originals({THREAD: ORIGINAL}, (command,))
    with Journal.open(path) as journal:
        assert journal.left_over() == {THREAD: ORIGINAL}
        assert journal.left_over_settings() == (command,)
        journal.keep_originals({THREAD: ORIGINAL})
        assert journal.left_over_settings() == ()


def test_the_end_of_a_run_leaves_what_is_still_to_be_restored(path):
    with Journal.open(path) as journal:
        journal.start_run("fake", "scripted", "{}")
        journal.keep_originals({THREAD: ORIGINAL})
        journal.end_run("{}")
        assert journal.left_over() == {THREAD: ORIGINAL}


def test_threads_of_another_boot_are_forgotten(path, monkeypatch):
    monkeypatch.setattr("controller.journal.journal._boot", lambda: "yesterday")
    with Journal.open(path) as journal:
        journal.keep_originals({THREAD: ORIGINAL})
    monkeypatch.undo()
    with Journal.open(path) as journal:
        assert journal.left_over() == {}


def test_a_command_reaches_the_controller_once_and_its_answer_the_sender(path):
    with Journal.open(path) as journal:
        sender = CommandQueue(Database.existing(path, writable=True))
        number = sender.send(Pause("nodes", shrink_only=True, until_s=5.0))
        assert journal.take() == [(number, Pause("nodes", shrink_only=True, until_s=5.0))]
        assert journal.take() == []
        journal.answer(number, "nodes: shrinking is paused")
        assert sender.wait(number) == "nodes: shrinking is paused"
        sender._database.close()


def test_a_command_that_nobody_answers_is_withdrawn(path):
    with Journal.open(path) as journal:
        sender = CommandQueue(Database.existing(path, writable=True))
        assert sender.wait(sender.send(Resume()), patience_s=0.0) is None
        assert journal.take() == []
        sender._database.close()


def test_a_command_whose_sender_is_long_gone_is_not_obeyed(path):
    with Journal.open(path) as journal:
        sender = CommandQueue(journal._database, lambda: 1000.0)
        sender.send(Resume())
        receiver = CommandQueue(journal._database, lambda: 1031.0)
        assert receiver.take() == []


def test_a_journal_of_a_newer_version_is_left_alone(path):
    Journal.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(JournalError, match=r"newer version.*schema 2.*update kapellmeister"):
        Journal.open(path)
    with pytest.raises(JournalError, match="newer version"):
        JournalReader(path)


def test_a_database_of_another_program_is_left_alone(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(JournalError, match="another program"):
        Journal.open(path)


def test_a_file_that_is_no_database_is_called_damaged(path):
    path.write_bytes(b"not a database at all, and long enough to be read as one" * 100)
    with pytest.raises(JournalError, match="damaged: move it away") as raised:
        Journal.open(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_in_place_of_the_journal_is_named(path):
    path.mkdir()
    with pytest.raises(JournalError, match="it is a folder"):
        Journal.open(path)


def test_a_folder_that_does_not_exist_is_no_place_for_a_journal(tmp_path):
    with pytest.raises(JournalError, match=r"there is no folder .*; make it, or choose another"):
        Journal.open(tmp_path / "absent" / "journal.sqlite3")


def test_reading_a_journal_that_does_not_exist_says_how_to_make_one(path):
    with pytest.raises(JournalError, match="no journal here yet; `kapellmeister run`"):
        JournalReader(path)


def test_a_file_that_a_failed_start_left_empty_is_no_journal_yet(path):
    path.touch()
    with pytest.raises(JournalError, match="no journal here yet"):
        JournalReader(path)
    Journal.open(path).close()
    with JournalReader(path) as reader:
        assert reader.runs() == []


@pytest.mark.parametrize("record", [b"no zlib at all", zlib.compress(b'{"type": "Tock"}')])
def test_a_tick_that_cannot_be_read_is_named(path, record):
    with Journal.open(path) as journal:
        run = journal.start_run("fake", "scripted", "{}")
        journal._database.execute("INSERT INTO ticks VALUES (?, 7, 0.0, 1, ?)", run, record)
    with JournalReader(path) as reader, pytest.raises(JournalError, match="tick 7 of run 1"):
        list(reader.ticks(run))


def test_a_run_that_does_not_exist_is_answered_with_those_that_do(path):
    with Journal.open(path) as journal:
        journal.start_run("fake", "scripted", "{}")
    with JournalReader(path) as reader, pytest.raises(JournalError, match=r"no run 7.*1 to 1"):
        reader.run(7)


def test_a_full_disk_loses_the_tick_and_keeps_the_journal(path):
    with Journal.open(path) as journal:
        run = journal.start_run("fake", "scripted", "{}")
        rig = Rig(Scripted())
        kept = record(journal, 1, rig)
        (pages,) = next(journal._database.rows("PRAGMA page_count"))
        journal._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match="full; free space on its disk"):
            record(journal, 1000, rig)
    with JournalReader(path) as reader:
        read = list(reader.ticks(run))
    assert read[0] == kept[0]
    assert [tick.number for tick in read] == list(range(1, len(read) + 1))


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from fakes import Rig, Scripted, action
from controller.journal.journal import Journal
rig = Rig(Scripted(action("nodes", 2)))
journal = Journal.open(Path(sys.argv[1]))
journal.start_run("fake", "scripted", "{}")
while True:
    tick = rig.tick()
    journal.record(tick, rig.loop.saved)
    print(tick.number, flush=True)
"""


@pytest.mark.live
def test_kill_9_at_any_moment_loses_at_most_the_tick_in_flight(path):
    tests = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, str(path), str(tests / "support"), str(tests.parent)]
    for _ in range(3):
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(50):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = writer.stdout.read().split()
        writer.stdout.close()
        writer.wait()
        with JournalReader(path) as reader:
            numbers = [tick.number for tick in reader.ticks(reader.run().number)]
        last = int(acknowledged[-1]) if acknowledged else 50
        assert numbers == list(range(1, numbers[-1] + 1))
        assert last <= numbers[-1] <= last + 1
        with Journal.open(path) as journal:
            saved = journal.last_saved("fake")
        assert isinstance(saved, dict)
        assert json.dumps(saved["number"]) == str(numbers[-1])


def test_a_pipe_in_place_of_the_journal_is_named_and_keeps_nobody_waiting(path: Path) -> None:
    os.mkfifo(path)
    for opens in (Journal.open, JournalReader):
        with pytest.raises(JournalError, match="it is no regular file; move it away, or choose"):
            opens(path)


def test_a_link_to_a_folder_that_is_gone_is_told_as_such(path: Path) -> None:
    path.symlink_to("gone/journal.sqlite3")
    with pytest.raises(
        JournalError, match=r"symbolic link to gone/.*, whose folder does not exist"
    ):
        Journal.open(path)

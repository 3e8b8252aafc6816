"""The kernel's figures of each thread of a process, read as cheaply as may be."""

from pathlib import Path

import pytest

from controller.linux.process_id import ProcessId
from controller.linux.scheduling import ThreadId
from controller.sensors import threads
from controller.sensors.threads import ThreadActivitySensor

PROCESS, THREAD = ProcessId(7, 1), ThreadId(8, 1)


class Kernel:
    """One thread of one process; `status` can be taken away, since it should not be read."""

    def __init__(self, root: Path) -> None:
        self.place = root / "7" / "task" / "8"
        self.place.mkdir(parents=True)
        self.process = root / "7" / "stat"
        self.starts(1)

    def starts(self, start_time: int, code: str = "1"):
        """The process has begun then; where its code lies changes with each exec."""
        line = f"7 (a player) S {'0 ' * 16}1 0 {start_time} 0 0 0 {code} 1 0 0\n"
        self.process.write_text(line)

    def tells(self, ran_ms: int, waited_ms: int, runs: int, switches: tuple[int, int] | None):
        (self.place / "schedstat").write_text(f"{ran_ms * 10**6} {waited_ms * 10**6} {runs}\n")
        status = self.place / "status"
        if switches is None:
            status.unlink()
            return
        voluntary, involuntary = switches
        lines = f"voluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}"
        status.write_text(f"Name:\tplayer\n{lines}\n")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


@pytest.fixture
def sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ThreadActivitySensor:
    monkeypatch.setattr(threads, "identify", lambda tid: ThreadId(tid, 1))
    seconds = iter(range(100, 200))
    return ThreadActivitySensor(tmp_path, lambda: float(next(seconds)))


def test_wake_ups_are_told_from_preemptions_of_threads_that_run_often(kernel, sensor):
    kernel.tells(1000, 100, 50, (40, 10))
    assert sensor.read({PROCESS: 90.0}) == {}
    kernel.tells(1300, 200, 350, (240, 110))
    activity = sensor.read({PROCESS: 90.0})[THREAD]
    assert (activity.wakes_per_s, activity.preemptions_per_s) == (200.0, 100.0)
    assert activity.demand_share == pytest.approx(0.4)


def test_of_a_thread_that_seldom_runs_the_status_is_not_read(kernel, sensor):
    kernel.tells(1000, 100, 50, (40, 10))
    sensor.read({PROCESS: 90.0})
    kernel.tells(1010, 100, 60, None)
    activity = sensor.read({PROCESS: 90.0})[THREAD]
    assert (activity.wakes_per_s, activity.preemptions_per_s) == (10.0, 0.0)


def test_what_was_not_read_is_not_counted_later(kernel, sensor):
    kernel.tells(1000, 100, 50, (40, 10))
    sensor.read({PROCESS: 90.0})
    kernel.tells(1010, 100, 60, None)
    sensor.read({PROCESS: 90.0})
    kernel.tells(1300, 100, 260, (250, 10))
    assert sensor.read({PROCESS: 90.0})[THREAD].wakes_per_s == 200.0


def test_a_number_that_another_thread_has_now_begins_anew(kernel, sensor, monkeypatch):
    kernel.tells(1000, 100, 50, (40, 10))
    sensor.read({PROCESS: 0.0})
    kernel.tells(5, 1, 3, (2, 1))
    monkeypatch.setattr(threads, "identify", lambda tid: ThreadId(tid, 2))
    assert sensor.read({PROCESS: 0.0}) == {}


def test_a_process_whose_number_another_has_is_not_read(kernel, sensor):
    kernel.tells(1000, 100, 50, (40, 10))
    sensor.read({PROCESS: 90.0})
    kernel.starts(2)
    kernel.tells(1300, 200, 350, (240, 110))
    assert sensor.read({PROCESS: 90.0}) == {}
    kernel.starts(1)
    assert sensor.read({PROCESS: 90.0}) == {}


def test_a_thread_whose_number_another_has_is_not_taken_for_it(kernel, sensor, monkeypatch):
    """Although the other has run for longer: its folder is another."""
    kernel.tells(1000, 100, 50, (40, 10))
    sensor.read({PROCESS: 90.0})
    kernel.place.rename(kernel.place.with_name("9"))
    kernel.place.mkdir()
    kernel.tells(1300, 200, 350, (240, 110))
    monkeypatch.setattr(threads, "identify", lambda tid: ThreadId(tid, 2))
    assert THREAD not in sensor.read({PROCESS: 90.0})
    kernel.tells(1400, 200, 450, (340, 110))
    assert ThreadId(8, 2) in sensor.read({PROCESS: 90.0})


def test_a_program_that_calls_exec_begins_anew(kernel, sensor):
    for image, told in (("1", False), ("1", True), ("2", False), ("2", True)):
        kernel.starts(1, image)
        kernel.tells(1000, 100, 50, (40, 10))
        assert (THREAD in sensor.read({PROCESS: 90.0})) is told


@pytest.mark.parametrize("odd", ["", "0", "-5 0 1", "1_0 x y", f"{10**30} 0 60", "9 9 9 9 9 9\0"])
def test_counters_that_cannot_be_are_no_activity_and_end_nothing(kernel, sensor, odd):
    kernel.tells(1000, 100, 50, (40, 10))
    sensor.read({PROCESS: 90.0})
    (kernel.place / "schedstat").write_text(odd)
    assert sensor.read({PROCESS: 90.0}) == {}
    kernel.tells(1000, 100, 50, (40, 10))
    sensor.read({PROCESS: 90.0})
    kernel.tells(1300, 200, 350, (240, 110))
    assert sensor.read({PROCESS: 90.0})[THREAD].utilisation == 0.3

"""Which threads of a program that is not ours are taken to play, and what is made of it."""

import os

import pytest

from controller.linux import scheduling
from controller.linux.process_id import ProcessId
from controller.linux.scheduling import Scheduling, ThreadId
from controller.plants.threads import audio_threads as watched_threads
from controller.plants.threads.audio_threads import WatchedThreads
from controller.sensors.threads import Activity
from policies.observation import Missing, Value, fresh

CYCLES_PER_S = 187.5
PROCESS = ProcessId(1, 1)
AT_ONE_RATE = {PROCESS: (CYCLES_PER_S,)}
PLAYER, WORKER, SLEEPER = ThreadId(1, 1), ThreadId(2, 1), ThreadId(3, 1)
NORMAL = Scheduling(os.SCHED_OTHER, 0, 0, frozenset({0}))
REALTIME = Scheduling(os.SCHED_FIFO, 80, 0, frozenset({0}))


class Sensor:
    def __init__(self, **activities: Activity) -> None:
        self.activities = activities

    def read(self, often_per_s):
        return {globals()[name.upper()]: each for name, each in self.activities.items()}


def activity(utilisation=0.05, waited=0.0, wakes=190.0, preempted=1.0) -> Activity:
    return Activity(PROCESS, utilisation, waited, wakes, preempted)


def watched(monkeypatch: pytest.MonkeyPatch, how: Scheduling = NORMAL, **activities: Activity):
    monkeypatch.setattr(scheduling, "read", lambda thread: how)
    threads = WatchedThreads(sensor=Sensor(**activities))
    threads.look(AT_ONE_RATE, [])
    return threads


def test_a_thread_that_wakes_once_a_cycle_for_a_part_of_it_plays(monkeypatch):
    threads = watched(monkeypatch, player=activity(), sleeper=activity(wakes=2.0))
    assert threads.classes()["audio"] == [PLAYER]


@pytest.mark.parametrize(
    "busy", [activity(utilisation=0.95, wakes=200.0), activity(utilisation=0.4, wakes=80.0)]
)
def test_a_thread_that_computes_is_never_taken_for_one_that_plays(monkeypatch, busy):
    assert watched(monkeypatch, worker=busy).classes()["audio"] == []


@pytest.mark.parametrize(
    "starved",
    [
        activity(utilisation=0.192, waited=0.677, wakes=45.0, preempted=70.0),
        activity(utilisation=0.333, waited=0.45, wakes=98.0, preempted=132.0),
        activity(utilisation=0.76, waited=0.016, wakes=146.0, preempted=160.0),
    ],
)
def test_a_thread_that_is_kept_from_playing_is_found_too(monkeypatch, starved):
    """Measured: 2.1 ms of work in a cycle of 5.3 ms beside four hogs, and 4.1 ms without."""
    assert watched(monkeypatch, player=starved).classes()["audio"] == [PLAYER]


def test_where_none_seems_to_play_the_one_that_starves_and_wakes_most_often_does(monkeypatch):
    """Measured: 3.1 ms of work in each cycle of 5.3 ms, beside four hogs."""
    starving = activity(utilisation=0.403, waited=0.584, wakes=13.0, preempted=250.0)
    computing = activity(utilisation=0.4, waited=0.59, wakes=5.0, preempted=250.0)
    assert watched(monkeypatch, worker=computing, player=starving).classes()["audio"] == [PLAYER]
    threads = watched(monkeypatch, worker=computing, player=activity())
    assert threads.classes()["audio"] == [PLAYER]


def test_a_thread_that_never_sleeps_does_not_play(monkeypatch):
    spinning = activity(utilisation=0.4, waited=0.6, wakes=0.0, preempted=250.0)
    assert watched(monkeypatch, worker=spinning).classes()["audio"] == []


def test_a_program_whose_work_does_not_fit_is_no_player_and_is_told_of(monkeypatch):
    overloaded = activity(utilisation=0.995, wakes=1.0)
    threads = watched(monkeypatch, player=overloaded)
    assert threads.classes()["audio"] == []
    assert threads.readings()["audio.laggard_utilisation"] == Value(0.995)
    beside = watched(monkeypatch, player=activity(), worker=overloaded)
    assert beside.readings()["audio.laggard_utilisation"] == Value(0.0)


HELD_UP = activity(utilisation=0.032, waited=0.079, wakes=240.0)
COMPUTING = activity(utilisation=0.346, waited=0.629, wakes=253.0, preempted=96.0)
"""Measured, at 256 frames beside four hogs: it gives the lock up as often as the other plays."""


def test_a_thread_that_holds_the_lock_of_one_that_plays_does_not_play(monkeypatch):
    monkeypatch.setattr(watched_threads, "read_bytes", lambda path: b"/usr/bin/python3.11")
    threads = watched(monkeypatch, player=HELD_UP, worker=COMPUTING)
    assert threads.classes()["audio"] == [PLAYER]
    assert threads.readings()["audio.interpreter_share"] == Value(0.975)


def test_a_thread_that_was_taken_to_play_and_holds_the_lock_plays_no_more(monkeypatch):
    monkeypatch.setattr(watched_threads, "read_bytes", lambda path: b"/usr/bin/python3.11")
    threads = watched(monkeypatch, worker=COMPUTING)
    assert threads.classes()["audio"] == [WORKER]
    threads.sensor = Sensor(player=HELD_UP, worker=COMPUTING)
    threads.look(AT_ONE_RATE, [])
    assert threads.classes()["audio"] == [PLAYER]


def test_without_an_interpreter_a_busy_thread_beside_a_calm_one_plays_too(monkeypatch):
    monkeypatch.setattr(watched_threads, "read_bytes", lambda path: b"/usr/lib/libjack.so")
    threads = watched(monkeypatch, player=HELD_UP, worker=COMPUTING)
    assert set(threads.classes()["audio"]) == {PLAYER, WORKER}


def test_who_waits_for_an_interpreter_wakes_more_often_than_it_plays(monkeypatch):
    """Measured at 1024 frames: 5.7 times a cycle."""
    waiting = activity(utilisation=0.037, wakes=267.0)
    monkeypatch.setattr(scheduling, "read", lambda thread: NORMAL)
    for library, playing in ((b"/usr/lib/libjack.so", []), (b"/usr/bin/python3.11", [PLAYER])):
        monkeypatch.setattr(watched_threads, "read_bytes", lambda path, found=library: found)
        threads = WatchedThreads(sensor=Sensor(player=waiting))
        threads.look({PROCESS: (46.875,)}, [])
        assert threads.classes()["audio"] == playing


def test_what_a_program_made_real_time_itself_is_watched_and_left_alone(monkeypatch):
    threads = watched(monkeypatch, how=REALTIME, player=activity(waited=0.01))
    assert threads.classes()["audio"] == []
    assert threads.realtime_priority() == 80
    assert threads.readings()["audio.run_delay_share"] == Value(0.01)


def test_a_busy_neighbour_counts_where_both_share_an_interpreter(monkeypatch):
    waiting = activity(wakes=300.0)
    activities = {"player": waiting, "worker": activity(utilisation=0.9, wakes=200.0)}
    monkeypatch.setattr(watched_threads, "read_bytes", lambda path: b"/usr/lib/libpython3.so")
    shared = watched(monkeypatch, **activities).readings()
    assert shared["audio.interpreter_share"] == Value(0.9)
    without_lock = watched(monkeypatch, **activities | {"player": activity()}).readings()
    assert without_lock["audio.interpreter_share"] == Value(0.0)
    kept_waiting = {"player": waiting, "worker": activity(0.1, waited=0.5, wakes=20.0)}
    assert watched(monkeypatch, **kept_waiting).readings()["audio.interpreter_share"] == Value(0.6)
    monkeypatch.setattr(watched_threads, "read_bytes", lambda path: b"/usr/lib/libjack.so")
    assert watched(monkeypatch, **activities).readings()["audio.interpreter_share"] == Value(0.0)


FAST, SLOW = 750.0, 46.875
"""Devices at 64 and at 1,024 frames."""


@pytest.mark.parametrize(
    ("wakes", "plays"), [(750.0, True), (47.0, True), (797.0, True), (250.0, False), (2.0, False)]
)
def test_a_process_may_serve_several_drivers(monkeypatch, wakes, plays):
    monkeypatch.setattr(scheduling, "read", lambda thread: NORMAL)
    threads = WatchedThreads(sensor=Sensor(player=activity(wakes=wakes)))
    threads.look({PROCESS: (FAST, SLOW)}, [])
    assert threads.classes()["audio"] == ([PLAYER] if plays else [])


def test_where_no_driver_is_at_work_none_is_found_and_none_forgotten(monkeypatch):
    threads = watched(monkeypatch, player=activity())
    threads.sensor = Sensor(player=activity(wakes=0.0), worker=activity())
    threads.look({PROCESS: ()}, [])
    assert threads.classes()["audio"] == [PLAYER]


def test_who_serves_several_drivers_may_await_a_lock_at_the_rate_of_one(monkeypatch):
    monkeypatch.setattr(scheduling, "read", lambda thread: NORMAL)
    monkeypatch.setattr(watched_threads, "read_bytes", lambda path: b"/usr/lib/libpython3.so")
    busy = activity(utilisation=0.9, wakes=1.0)
    for wakes, share in ((750.0, 0.0), (47.0, 0.0), (790.0, 0.0), (90.0, 0.9)):
        threads = WatchedThreads(sensor=Sensor(player=activity(wakes=wakes), worker=busy))
        threads.look({PROCESS: (FAST, SLOW)}, [])
        assert threads.readings()["audio.interpreter_share"] == Value(share)


def test_what_never_plays_is_not_found_however_it_wakes(monkeypatch):
    monkeypatch.setattr(scheduling, "read", lambda thread: NORMAL)
    threads = WatchedThreads(sensor=Sensor(player=activity(), worker=activity()))
    threads.look(AT_ONE_RATE, [], never={WORKER.tid})
    assert threads.classes()["audio"] == [PLAYER]


def test_a_thread_that_ended_is_forgotten(monkeypatch):
    threads = watched(monkeypatch, player=activity())
    threads.sensor = Sensor()
    threads.look(AT_ONE_RATE, [])
    assert threads.classes()["audio"] == []


def delay_ms(threads: WatchedThreads) -> float | None:
    return fresh(threads.readings()["audio.run_delay_per_wake_ms"])


def test_a_thread_that_has_just_begun_to_play_is_not_late_for_its_few_wakes(monkeypatch):
    """A thread that woke once in this second and waited 8 ms in all, mostly before it played."""
    threads = watched(monkeypatch, player=activity())
    threads.sensor = Sensor(player=activity(waited=0.008, wakes=1.0))
    threads.look(AT_ONE_RATE, [])
    assert delay_ms(threads) == pytest.approx(8.0 / 18.75)


def test_a_delay_counts_by_the_period_of_the_driver_that_the_thread_serves(monkeypatch):
    """4 ms of 21.3 ms are no more than 0.25 ms of 1.33 ms."""
    slow, fast = ProcessId(1, 1), ProcessId(9, 1)
    threads = watched(monkeypatch, player=activity(waited=0.1875, wakes=46.875))
    threads.look({slow: (46.875,), fast: (750.0,)}, [])
    assert delay_ms(threads) == pytest.approx(0.25)


def test_a_program_that_was_found_and_whose_stream_pauses_is_late_for_nothing(monkeypatch):
    threads = watched(monkeypatch, player=activity(waited=0.1))
    threads.look({PROCESS: ()}, [])
    assert threads.classes()["audio"] == [PLAYER]
    assert threads.readings()["audio.run_delay_per_wake_ms"] == watched_threads.NOT_DRIVEN


def test_threads_that_are_hidden_stay_as_they_were_found_and_nothing_is_read_of_them(monkeypatch):
    threads = watched(monkeypatch, player=activity())
    monkeypatch.setattr(scheduling, "is_hidden", lambda thread: True)
    monkeypatch.setattr(watched_threads, "hidden", lambda: ("mounted with hidepid=noaccess", ""))
    monkeypatch.setattr(scheduling, "read", lambda thread: REALTIME)  # as we had set it
    threads.sensor.activities = {}
    threads.look(AT_ONE_RATE, [])
    why = Missing("the audio threads are not seen: mounted with hidepid=noaccess")
    assert set(threads.readings().values()) == {why}
    threads.sensor.activities = {"player": activity()}
    threads.look(AT_ONE_RATE, [])
    assert threads.classes()["audio"] == [PLAYER]
    assert isinstance(threads.readings()["audio.utilisation"], Value)

"""How cycles and misses are counted from what PipeWire's tools tell, as drivers come and go."""

from __future__ import annotations

from typing import Any

import pytest
from pipewire_tables import DONE, HEADER, NOT_DONE, TABLE, row, seconds

from controller.plants.pipewire import counting
from controller.plants.pipewire.counting import Counting, meter_for
from controller.plants.pipewire.drivers import Driver, Motion
from controller.plants.pipewire.meter import Meter, Period
from controller.plants.pipewire.profiler_meter import ProfilerMeter
from controller.plants.pipewire.pw_dump import Node
from controller.plants.pipewire.top_meter import TopMeter


def node(number: int, **told: Any) -> Node:
    return Node(number, f"node {number}", runs=True, **told)


def driven(number: int, *followers: int, freewheels: bool = False) -> Driver:
    nodes = tuple(node(each, driver=number) for each in followers)
    return Driver(number, f"device {number}", freewheels, nodes, (48_000, 44_100))


class Bench:
    """A meter, the graph that it counts of, and the time."""

    def __init__(self, meter: Meter, *drivers: Driver) -> None:
        self.meter, self.motion = meter, Motion()
        self.motion.note(drivers, 0)

    def at(self, second: float, text: str | bytes) -> None:
        self.now_ns = seconds(second)
        self.meter.feed(
            text if isinstance(text, bytes) else text.encode(), self.motion, self.now_ns
        )
        self.meter.pause(self.motion, self.now_ns + seconds(0.1))

    def works(self, second: float, *drivers: Driver) -> None:
        self.motion.note(drivers, seconds(second))
        self.motion.forget_rested(seconds(second))

    def counted(self) -> tuple[object, object]:
        line = self.meter.line()
        return line["cycles"], line["missed"]


PLAYING = driven(36, 41, 42)
RESTING = "S   36      0      0    ---     ---   ---   ---     3  S16LE 2 48000 alsa_output.usb\n"


def shown(quantum: int, errors: int, busy: str = "1.2ms", rate_hz: int = 48_000) -> str:
    figures = f"{quantum} {rate_hz} 12.3us {busy} 0.01 0.90 {errors}"
    return f"{HEADER}R 36 {figures} S16LE 2 48000 alsa_output.usb\n"


class TestCountingByTop:
    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(TopMeter(), PLAYING)

    def test_cycles_are_reckoned_from_the_time_and_only_new_errors_count(
        self, bench: Bench
    ) -> None:
        for second, errors in enumerate(((5, 70, 800), (7, 72, 801), (7, 75, 801)), 1):
            bench.at(second, HEADER + TABLE.format(*errors))
        assert bench.counted() == (2 * 750, 2 + 3)
        assert bench.meter.periods == {36: Period(64, 48_000)}
        assert bench.meter.line()["busy_share"] == 0.90  # of the driver and its followers
        assert bench.meter.told_ns == seconds(3)

    def test_a_cycle_that_was_missed_counts_once_however_often_it_is_told(
        self, bench: Bench
    ) -> None:
        for second, errors in enumerate(((0, 0, 0), (10, 1500, 0)), 1):
            bench.at(second, HEADER + TABLE.format(*errors))
        assert bench.counted() == (750, 750)

    def test_it_begins_with_the_errors_that_it_finds_when_it_is_started_again(
        self, bench: Bench
    ) -> None:
        for second, errors in ((1.0, 5), (3.0, 0)):
            bench.meter.begin(seconds(second))
            bench.at(second, HEADER + TABLE.format(errors, 0, 0))
        assert bench.counted() == (0, 0)

    def test_the_same_cycle_shown_again_is_none(self, bench: Bench) -> None:
        for second in (1.0, 2.0, 3.0):
            bench.at(second, HEADER + TABLE.format(5, 5, 5))
        assert bench.counted() == (0, 0)
        assert bench.meter.seen == 1

    def test_a_server_that_stood_still_missed_what_it_says_and_no_second_of_it(
        self, bench: Bench
    ) -> None:
        for second, errors in ((1.0, 0), (2.0, 0), (3.0, 20)):
            bench.at(second, shown(64, errors))
        assert bench.counted() == (750, 20)

    def test_errors_of_the_time_before_a_driver_was_at_work_are_not_counted(
        self, bench: Bench
    ) -> None:
        bench.at(1.0, HEADER + RESTING)
        bench.at(2.0, shown(64, 241))
        bench.at(3.0, shown(64, 242, "1.3ms"))
        assert bench.counted() == (750, 1)

    def test_all_drivers_are_counted_each_by_its_own_period(self) -> None:
        bench = Bench(TopMeter(), driven(36, 41), driven(50, 51))
        other = "R 50 1024 48000 1.0us {0} 0.01 0.01 {1} F32P 2 48000 hdmi\n"
        bench.at(1.0, shown(64, 0) + other.format("1us", 0))
        bench.at(2.0, shown(64, 3, "1.3ms") + other.format("2us", 4))
        assert bench.counted() == (750 + 47, 3 + 4)
        assert bench.meter.periods == {36: Period(64, 48_000), 50: Period(1024, 48_000)}

    def test_a_driver_that_nobody_follows_plays_nothing(self) -> None:
        bench = Bench(TopMeter(), driven(50, 51))
        for second, busy in ((1.0, "1ms"), (2.0, "2ms")):
            bench.at(second, shown(64, 9, busy))
        assert bench.counted() == (0, 0)
        assert bench.meter.periods == {}

    def test_a_quantum_that_changed_within_the_second_counts_from_then_on(
        self, bench: Bench
    ) -> None:
        bench.at(1.0, shown(64, 0))
        bench.works(1.8, PLAYING)
        bench.at(2.0, shown(1024, 1, "1.3ms"))
        assert bench.counted() == (round(0.8 * 750 + 0.2 * 46.875), 1)

    def test_the_rate_is_that_of_the_driver_whatever_the_graph_says(self, bench: Bench) -> None:
        for second, busy in ((1.0, "1ms"), (2.0, "2ms")):
            bench.at(second, shown(128, 0, busy, 44_100))
        assert bench.meter.periods == {36: Period(128, 44_100)}
        assert bench.counted() == (round(44_100 / 128), 0)

    def test_of_a_freewheel_nothing_is_counted_nor_of_how_it_ends(self, bench: Bench) -> None:
        bench.at(1.0, shown(64, 0))
        bench.works(1.5, driven(30, 36, 41, freewheels=True))
        assert bench.motion.rests == "the server freewheels"
        bench.at(2.0, shown(64, 0))
        bench.works(2.5, PLAYING)
        assert bench.motion.rests == ""
        bench.at(3.0, shown(64, 115, "1.3ms"))
        assert bench.counted() == (0, 0)
        bench.at(4.0, shown(64, 116, "1.2ms"))
        assert bench.counted() == (750, 1)

    def test_a_driver_that_began_just_before_a_table_is_counted_from_the_next(self) -> None:
        bench = Bench(TopMeter())
        bench.works(0.95, PLAYING)
        for second, errors in ((1.0, 0), (2.0, 8), (3.0, 9)):
            bench.at(second, shown(64, errors, f"1.{errors}ms"))
        assert bench.counted() == (750, 1)

    def test_a_moment_in_which_all_nodes_are_suspended_is_no_rest(self, bench: Bench) -> None:
        bench.at(1.0, shown(64, 0))
        bench.works(1.4)
        bench.works(1.5, PLAYING)
        bench.at(2.0, shown(128, 2, "1.3ms"))
        assert bench.counted() == (round(0.5 * 750 + 0.5 * 375), 2)


class TestCountingByTheProfiler:
    @pytest.fixture
    def bench(self) -> Bench:
        bench = Bench(ProfilerMeter(), PLAYING)
        bench.meter.begin(0)
        return bench

    def test_every_cycle_is_counted_and_the_times_are_told_once(self, bench: Bench) -> None:
        bench.at(1.0, row(DONE) + row(DONE, NOT_DONE))
        line = bench.meter.line()
        assert (line["cycles"], line["missed"]) == (2, 1)
        assert bench.meter.periods == {36: Period(64, 48_000)}
        assert line["latency_ms"] == [0.030, 1.333]
        assert line["lateness_ms"] == [0.022, 1.333]
        assert bench.meter.line()["latency_ms"] == []

    def test_it_goes_on_counting_when_it_is_started_again(self, bench: Bench) -> None:
        bench.at(1.0, row(DONE) + b"1335\t60")
        bench.meter.begin(seconds(2))
        bench.at(3.0, row(DONE))
        assert bench.counted() == (2, 0)

    def test_the_rate_is_the_one_at_which_the_period_has_whole_frames(self, bench: Bench) -> None:
        bench.at(1.0, row(DONE).replace(b"1333", b"2902"))
        assert bench.meter.periods == {36: Period(128, 44_100)}

    def test_of_a_freewheel_nothing_is_counted_nor_of_how_it_ends(self, bench: Bench) -> None:
        bench.works(1.0, driven(30, 36, 41, freewheels=True))
        bench.at(1.1, row(NOT_DONE) * 9)
        bench.works(2.0, PLAYING)
        bench.at(2.1, row(NOT_DONE) * 9)
        assert bench.counted() == (0, 0)
        bench.at(2.3, row(DONE))
        assert bench.counted() == (1, 0)

    def test_it_tells_which_driver_it_listens_to(self, bench: Bench) -> None:
        assert list(bench.meter.only) == []
        bench.at(1.0, row(DONE))
        assert list(bench.meter.only) == [36]


@pytest.mark.parametrize(
    ("version", "kind"),
    [((0, 3, 65), ProfilerMeter), ((0, 3, 79), TopMeter), ((1, 0), TopMeter)],
)
def test_top_counts_from_the_version_that_prints_into_a_pipe(
    version: tuple[int, ...], kind: type
) -> None:
    assert isinstance(meter_for(version), kind)


class FakeTool:
    """A tool that tells what a test has put into `told`; how many were started is counted."""

    started = 0

    def __init__(self, command: tuple[str, ...]) -> None:
        FakeTool.started += 1
        self.command, self.told = command, list[bytes]()
        self.descriptor, self.pid, self.ended = 9, 99, False

    def has_told(self) -> bool:
        return bool(self.told) and not self.ended

    def read(self) -> bytes:
        return self.told.pop(0)

    def close(self) -> None: ...


class Tended:
    """The tool of a meter, looked after each tenth of a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, meter: Meter) -> None:
        monkeypatch.setattr(counting, "Tool", FakeTool)
        FakeTool.started = 0
        self.motion, self._second = Motion(), 0.0
        self.motion.note([PLAYING], 0)
        self.counting = Counting(meter, self.motion, 0)

    def until(self, second: float, told: bytes = b"") -> list[str]:
        """What is told of the tool until then, in which it itself told that."""
        if told:
            self.tool.told.append(told)
        events = []
        while self._second < second:
            self._second = round(self._second + 0.1, 1)
            events.append(self.counting.tend(seconds(self._second)))
        return [each for each in events if each is not None]

    @property
    def tool(self) -> FakeTool:
        tool = self.counting._tool
        assert isinstance(tool, FakeTool)
        return tool


class TestTendingTheTool:
    @pytest.mark.parametrize(("meter", "patience_s"), [(TopMeter(), 3.0), (ProfilerMeter(), 1.2)])
    def test_one_that_tells_of_no_cycle_for_long_is_started_again(
        self, monkeypatch: pytest.MonkeyPatch, meter: Meter, patience_s: float
    ) -> None:
        tended = Tended(monkeypatch, meter)
        assert tended.until(patience_s) == []
        assert FakeTool.started == 1
        tended.until(patience_s + 0.1)
        assert FakeTool.started == 2

    def test_where_nothing_plays_there_is_nothing_to_tell(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tended = Tended(monkeypatch, TopMeter())
        tended.motion.note([driven(30, 36, freewheels=True)], 0)
        tended.until(10.0)
        assert FakeTool.started == 1

    def test_one_that_ends_is_told_of_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tended = Tended(monkeypatch, TopMeter())
        events = []
        for _ in range(3):
            tended.tool.ended = True
            events += tended.until(tended._second + 3.2)
        assert events == [counting.ENDED]
        assert FakeTool.started == 4
        tended.until(tended._second + 1.0, shown(64, 0).encode())
        tended.tool.ended = True
        assert tended.until(tended._second + 3.2) == [counting.ENDED]

    def test_a_profiler_whose_driver_has_left_its_work_to_others_is_started_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tended = Tended(monkeypatch, ProfilerMeter())
        tended.until(0.5, row(DONE))
        tended.motion.note([driven(40, 41)], seconds(0.5))
        tended.motion.forget_rested(seconds(1.0))
        tended.until(0.6)
        assert FakeTool.started == 2

    def test_what_tells_seldom_is_read_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert Tended(monkeypatch, TopMeter()).counting.urgent == (9,)
        assert Tended(monkeypatch, ProfilerMeter()).counting.urgent == ()

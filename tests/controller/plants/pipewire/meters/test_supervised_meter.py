"""When the tool of a meter is read, when it is started again, and what is told of that."""

from __future__ import annotations

import pytest
from meter_rig import PLAYING, driven
from pipewire_tables import DONE, row, seconds, shown

from controller.plants.pipewire.active_drivers import ActiveDrivers
from controller.plants.pipewire.meters import supervised_meter
from controller.plants.pipewire.meters.meter import Meter
from controller.plants.pipewire.meters.profiler_meter import ProfilerMeter
from controller.plants.pipewire.meters.supervised_meter import SupervisedMeter, meter_for
from controller.plants.pipewire.meters.top_meter import TopMeter


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


class Supervised:
    """The tool of a meter, looked after each tenth of a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, meter: Meter) -> None:
        monkeypatch.setattr(supervised_meter, "Tool", FakeTool)
        FakeTool.started = 0
        self.active, self._second = ActiveDrivers(), 0.0
        self.active.note([PLAYING], 0)
        self.meter = SupervisedMeter(meter, self.active, 0)

    def until(self, second: float, told: bytes = b"") -> list[str]:
        """The events until then, in which the tool told `told`."""
        if told:
            self.tool.told.append(told)
        events = []
        while self._second < second:
            self._second = round(self._second + 0.1, 1)
            events.append(self.meter.supervise(seconds(self._second)))
        return [each for each in events if each is not None]

    @property
    def tool(self) -> FakeTool:
        tool = self.meter._tool
        assert isinstance(tool, FakeTool)
        return tool


@pytest.mark.parametrize(("meter", "patience_s"), [(TopMeter(), 3.0), (ProfilerMeter(), 1.2)])
def test_a_tool_that_tells_of_no_cycle_for_long_is_started_again(
    monkeypatch: pytest.MonkeyPatch, meter: Meter, patience_s: float
) -> None:
    supervised = Supervised(monkeypatch, meter)
    assert supervised.until(patience_s) == []
    assert FakeTool.started == 1
    supervised.until(patience_s + 0.1)
    assert FakeTool.started == 2


def test_where_nothing_plays_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    supervised = Supervised(monkeypatch, TopMeter())
    supervised.active.note([driven(30, 36, freewheels=True)], 0)
    supervised.until(10.0)
    assert FakeTool.started == 1


def test_a_tool_that_ends_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    supervised = Supervised(monkeypatch, TopMeter())
    events = []
    for _ in range(3):
        supervised.tool.ended = True
        events += supervised.until(supervised._second + 3.2)
    assert events == [supervised_meter.ENDED]
    assert FakeTool.started == 4
    supervised.until(supervised._second + 1.0, shown(64, 0).encode())
    supervised.tool.ended = True
    assert supervised.until(supervised._second + 3.2) == [supervised_meter.ENDED]


def test_a_profiler_whose_driver_has_left_its_work_to_others_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    supervised = Supervised(monkeypatch, ProfilerMeter())
    supervised.until(0.5, row(DONE))
    supervised.active.note([driven(40, 41)], seconds(0.5))
    supervised.active.forget_rested(seconds(1.0))
    supervised.until(0.6)
    assert FakeTool.started == 2


def test_a_tool_that_tells_seldom_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Supervised(monkeypatch, TopMeter()).meter.urgent == (9,)
    assert Supervised(monkeypatch, ProfilerMeter()).meter.urgent == ()

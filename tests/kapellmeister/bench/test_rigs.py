"""The servers on which `bench sidecar` measures, and what their monitors tell of a window."""

from __future__ import annotations

import shutil
import time
from typing import Any, cast

import pytest
from monitor_lines import line

from controller.monitors.link import MonitorLink
from kapellmeister.bench.servers import pipewire
from kapellmeister.bench.servers import rig as rigs
from kapellmeister.bench.servers.jack import jack_rig
from kapellmeister.bench.servers.rig import OpenRig, Rig


class Told:
    """A monitor of which each line is asked for once."""

    def __init__(self, *lines: dict[str, Any]) -> None:
        self.lines = list(lines)

    def wait(self, _: float) -> list[dict[str, Any]]:
        return [self.lines.pop(0)]


def rig(monitor: Told) -> Rig:
    return Rig("pipewire", cast(MonitorLink, monitor), {}, 64, "missed", 5.0)


def later(seconds: int, **told: Any) -> dict[str, Any]:
    now_ns = time.monotonic_ns() + seconds * 1_000_000_000
    return line(time_ns=now_ns + 900_000_000, counted_until_ns=now_ns, **told)


def test_a_window_lasts_as_long_as_pipewire_has_counted_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rigs.time, "sleep", lambda _: None)
    window = rig(Told(later(-1), later(10, missed=3), later(12, missed=7))).window(2.0)
    assert (window.seconds, window.errors) == (pytest.approx(2.0, abs=0.1), 4)


def test_sound_is_awaited_for_as_long_as_none_plays_at_the_period_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipewire.time, "sleep", lambda _: None)
    not_yet = later(10, rests="nothing plays"), later(10, period_frames=1024)
    monitor = Told(*not_yet, later(10), later(11))
    pipewire._await_sound(rig(monitor))
    assert len(monitor.lines) == 1


@pytest.mark.live
@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("open_rig", "needed"), [(pipewire.pipewire_rig, pipewire.NEEDED), (jack_rig, ("jackd",))]
)
def test_a_window_is_measured_by_what_the_monitor_tells(
    open_rig: OpenRig, needed: tuple[str, ...]
) -> None:
    if any(shutil.which(each) is None for each in needed):
        pytest.skip(f"{', '.join(needed)} are needed")
    with open_rig(0) as measured:
        window = measured.window(2.0)
        assert measured.line()["period_frames"] == measured.found_frames
    assert 1.0 <= window.seconds <= 4.0
    assert window.errors >= 0

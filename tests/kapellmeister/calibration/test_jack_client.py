"""A JACK client before there is a server, and how it tells when a cycle began."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from controller.config.config import load_config
from controller.errors import MissingExtraError, PlantError
from kapellmeister.calibration.jack import jack_subject
from kapellmeister.calibration.jack_client import CycleClock, load_jack


def names_of_children() -> list[str]:
    """Of the processes that this one started and that are still there."""
    lists = [each.read_text() for each in Path("/proc/self/task").glob("*/children")]
    return [Path(f"/proc/{pid}/comm").read_text().strip() for pid in " ".join(lists).split()]


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jack", None)
    with pytest.raises(
        MissingExtraError, match=r"JACK-Client: pip install 'kapellmeister\[jack\]'"
    ):
        load_jack()


def test_a_missing_library_is_told_from_a_missing_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jack.py").write_text("raise OSError('JACK library not found')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "jack", raising=False)
    with pytest.raises(PlantError, match="plant jack: libjack is not installed; install JACK"):
        load_jack()


def test_without_a_server_nothing_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        load_jack()
    except (MissingExtraError, PlantError) as error:
        pytest.skip(str(error))
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "km-nobody")
    with (
        pytest.raises(PlantError, match="no server answers; start one"),
        jack_subject(load_config(None), "hrtf", 4),
    ):
        pass
    assert "km-jack" not in names_of_children()


def test_a_cycle_that_is_heard_of_late_began_on_time() -> None:
    clock = CycleClock()
    clock.restart(1000.0)
    assert clock.follow(5000.0, 6000.0) == 6000.0
    assert clock.follow(5000.0, 14_000.0) == 11_000.0
    assert clock.follow(5000.0, 16_000.0) == pytest.approx(16_000.0, abs=20.0)


def test_no_cycle_begins_after_it_was_heard_of() -> None:
    clock = CycleClock()
    clock.restart(3000.0)  # late itself
    assert clock.follow(5000.0, 6000.0) == 6000.0


def test_a_clock_that_is_slower_than_its_name_is_followed() -> None:
    clock = CycleClock()
    clock.restart(0.0)
    begun = [clock.follow(5000.0, k * 5000.1 + 80.0 * (k % 16 > 0)) for k in range(1, 2000)]
    assert begun[-1] == pytest.approx(1999 * 5000.1, abs=20.0)

"""The period of an audio server: when it may be turned, whose it is, and when it is restored."""

from __future__ import annotations

from typing import Any

import pytest
from attached_plant import Attached
from monitor_lines import driver

from controller.plants.audio_server.period_knob import LONGEST_PERIOD, doubles
from controller.plants.pipewire.plant import OWN_PERIODS
from policies.knobs import Choice
from policies.proposal import Refusal


def test_a_longer_quantum_is_forced_and_none_is_once_it_is_restored(attached: Attached) -> None:
    plant = attached.plant
    domain = plant.knobs()["period_frames"].domain
    assert domain == Choice((64, 128, 256, 512, 1024, 2048, LONGEST_PERIOD))
    assert plant.apply("period_frames", 128) is None
    assert plant.restore("period_frames") is None
    assert attached.link.told == ["period 128", "period 0"]


def test_what_a_user_forced_before_is_restored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attached = Attached(monkeypatch, forced_frames=64)
    attached.plant.apply("period_frames", 128)
    attached.plant.restore("period_frames")
    assert attached.link.told == ["period 128", "period 64"]
    assert attached.restoring() == ("64", "--if", "128", "64", "--server", "7")
    attached.plant.close()
    assert attached.lease.restored == ["the period of pipewire"]


def test_of_another_server_nothing_is_to_be_restored(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, cookie=8, forced_frames=256, period_frames=256)
    attached.plant.observe()
    assert attached.lease.held == {}
    assert "the server was started again" in attached.plant.knobs()["period_frames"].lapsed
    attached.plant.apply("period_frames", 512)
    assert attached.plant.knobs()["period_frames"].lapsed == ""
    attached.plant.restore("period_frames")
    assert attached.link.told[1:] == ["period 512", "period 256"]
    assert attached.restoring() == ("256", "--if", "512", "256", "--server", "8")


def test_what_is_seen_in_force_is_all_that_is_restored(attached: Attached) -> None:
    for second, forced in enumerate((128, 256), 1):
        attached.plant.apply("period_frames", forced)
        attached.says(second, forced_frames=forced, period_frames=forced)
        attached.plant.observe()
    assert attached.restoring() == ("0", "--if", "256", "--server", "7")


def test_what_the_watchdog_restored_may_be_turned_again(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.lease.stands = False
    attached.says(1.0, forced_frames=128, period_frames=128)
    attached.plant.observe()
    attached.lease.stands = True
    assert attached.plant.knobs()["period_frames"].lapsed == ""
    attached.says(2.0, forced_frames=0)
    attached.plant.observe()
    assert "watchdog restored it" in attached.plant.knobs()["period_frames"].lapsed
    assert attached.lease.held == {}
    attached.plant.apply("period_frames", 128)
    assert attached.plant.knobs()["period_frames"].lapsed == ""


def test_what_another_hand_set_while_the_lease_ran_out_is_no_lapse(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.lease.stands = False
    attached.says(1.0, forced_frames=256, period_frames=256)
    attached.plant.observe()
    assert attached.plant.knobs()["period_frames"].lapsed == ""


def test_what_another_hand_set_is_what_is_found_by_the_next_change(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, forced_frames=1024, period_frames=1024)
    attached.plant.observe()
    assert attached.restoring()[0] == "0"
    attached.plant.apply("period_frames", 2048)
    assert attached.restoring() == ("1024", "--if", "128", "2048", "--server", "7")


def test_a_period_that_somebody_else_changes_is_the_new_reference(attached: Attached) -> None:
    attached.says(1.0, cycles=750)
    attached.plant.observe()
    attached.says(2.0, cycles=800, missed=20, period_frames=1024)
    seen = attached.plant.observe()
    assert seen.discontinuity == "another driver, rate or period"
    assert seen.blocks is None
    assert seen.deadline_ms == attached.plant.deadline_ms == pytest.approx(1024 / 48)
    assert attached.plant.knobs()["period_frames"].domain == Choice((1024, 2048, LONGEST_PERIOD))


def test_a_period_of_ours_moves_no_deadline(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, cycles=400, forced_frames=128, period_frames=128)
    seen = attached.plant.observe()
    assert (seen.discontinuity, seen.deadline_ms) == ("", pytest.approx(64 / 48))
    assert attached.plant.in_force()["period_frames"] == 128


FREEWHEELS = {"rests": "the server freewheels", "exports": True}


@pytest.mark.parametrize(
    ("forced", "told"), [(0, ["period 128"] * 2), (128, ["period 128"]), (512, ["period 128"])]
)
def test_a_period_that_an_export_swallowed_is_asked_for_again_unless_another_is_set(
    attached: Attached, forced: int, told: list[str]
) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, **FREEWHEELS)
    attached.plant.observe()
    assert "period_frames" not in attached.plant.in_force()
    attached.says(2.0, cycles=400, forced_frames=forced, period_frames=forced or 64)
    attached.says(2.1, cycles=410, forced_frames=forced, period_frames=forced or 64)
    attached.plant.observe()
    assert attached.link.told == told


def test_a_period_that_an_export_swallowed_is_restored_at_the_end(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, **FREEWHEELS)
    attached.says(2.0, cycles=400)
    attached.plant.observe()
    attached.says(3.0, cycles=500, forced_frames=128, period_frames=128)
    attached.plant.observe()
    assert attached.plant.in_force()["period_frames"] == 128
    assert attached.restoring() == ("0", "--if", "128", "--server", "7")


def test_what_a_rate_makes_of_a_period_of_ours_is_no_other_hand(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, cycles=400, forced_frames=128, period_frames=128)
    attached.plant.observe()
    attached.says(2.0, cycles=800, forced_frames=128, period_frames=64, sample_rate_hz=44_100)
    attached.plant.observe()
    assert attached.plant.in_force()["period_frames"] == 128


def test_what_was_restored_already_is_not_asked_for_again(attached: Attached) -> None:
    assert attached.plant.restore("period_frames") is None
    assert attached.link.told == []


def test_a_quantum_that_a_program_has_locked_is_left_alone(attached: Attached) -> None:
    attached.says(1.0, locked_by="renderer")
    attached.plant.observe()
    assert attached.plant.knobs()["period_frames"].obstacle == "renderer has locked the quantum"
    refusal = attached.plant.apply("period_frames", 128)
    assert refusal == Refusal("period_frames", "renderer has locked the quantum", passing=True)
    assert attached.link.told == []
    attached.says(2.0)
    attached.plant.observe()
    assert len(attached.plant.knobs()["period_frames"].domain.values) > 1


def test_a_quantum_that_is_locked_after_we_forced_it_is_restored(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, forced_frames=128, period_frames=128)
    attached.says(1.1, forced_frames=128, period_frames=128, locked_by="renderer")
    events = attached.plant.observe().events
    assert attached.link.told == ["period 128", "period 0"]
    assert events == ("pipewire: the period was restored: renderer has locked the quantum",)


UNLIKE, ALIKE = [driver(42, 64), driver(47, 1024)], [driver(42, 64), driver(47, 64)]


@pytest.mark.parametrize(("drivers", "obstacle"), [(UNLIKE, OWN_PERIODS), (ALIKE, "")])
def test_the_period_of_one_device_is_not_forced_on_another(
    attached: Attached, drivers: list[dict[str, Any]], obstacle: str
) -> None:
    attached.says(1.0, drivers=drivers)
    attached.plant.observe()
    assert attached.plant.knobs()["period_frames"].obstacle == obstacle


@pytest.mark.parametrize(("before", "restored"), [(UNLIKE[:1], True), (ALIKE, False)])
def test_a_quantum_is_restored_where_a_device_begins_that_played_no_such_period(
    attached: Attached, before: list[dict[str, Any]], restored: bool
) -> None:
    attached.says(1.0, drivers=before)
    attached.plant.observe()
    attached.plant.apply("period_frames", 128)
    both = [driver(42, 128), driver(47, 128)]
    attached.says(2.0, forced_frames=128, period_frames=128, drivers=both)
    attached.plant.observe()
    assert attached.link.told == ["period 128", *(["period 0"] if restored else [])]


def test_no_period_is_chosen_that_the_server_gives_to_nobody(attached: Attached) -> None:
    attached.says(1.0, longest_frames=512)
    attached.plant.observe()
    assert attached.plant.knobs()["period_frames"].domain == Choice((64, 128, 256, 512))


def test_the_command_that_restores_says_what_was_played(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    (command,) = attached.lease.held.values()
    assert command[-2:] == ("--played", "64")


def test_what_was_restored_is_as_it_was_found_and_renewed_again(attached: Attached) -> None:
    for second, forced, period in ((1.0, 128, 128), (2.0, 0, 64)):
        attached.plant.apply("period_frames", period)
        attached.says(second, cycles=1, forced_frames=forced, period_frames=period)
        attached.plant.observe()
    assert attached.lease.held == {}
    attached.says(3.0, cycles=400, period_frames=1024)
    seen = attached.plant.observe()
    assert seen.discontinuity == "another driver, rate or period"
    assert seen.deadline_ms == pytest.approx(1024 / 48)
    knob = attached.plant.knobs()["period_frames"]
    assert knob.domain == Choice((1024, 2048, LONGEST_PERIOD))
    assert knob.lapsed == "it had been restored, and somebody else has changed it since"
    assert attached.plant.in_force()["period_frames"] == 1024


def test_where_others_want_another_period_by_now_that_is_what_was_restored(
    attached: Attached,
) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, cycles=1, forced_frames=128, period_frames=128)
    attached.plant.observe()
    attached.plant.restore("period_frames")
    attached.says(2.0, cycles=2, period_frames=32)
    attached.plant.observe()
    attached.says(7.1, cycles=3, period_frames=32)
    attached.plant.observe()
    attached.says(8.0, cycles=4, period_frames=32)
    assert attached.plant.observe().deadline_ms == pytest.approx(32 / 48)
    assert attached.lease.held == {}
    assert attached.plant.knobs()["period_frames"].lapsed


def test_a_period_that_no_monitor_would_restore_is_restored_by_the_next_and_told_once(
    attached: Attached,
) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, forced_frames=128, period_frames=128)
    attached.plant.observe()
    attached.link.takes_orders = False
    locked = {"forced_frames": 128, "period_frames": 128, "locked_by": "renderer"}
    for second in (1.1, 1.2):
        attached.says(second, **locked)
    why = "pipewire: the period could not be restored: the monitor of the server takes no orders"
    assert attached.plant.observe().events == (f"{why} now",)
    attached.link.takes_orders = True
    attached.says(1.3, **locked)
    assert "was restored" in attached.plant.observe().events[0]
    assert attached.link.told == ["period 128", "period 0"]


def test_an_order_that_nobody_took_leaves_nothing_to_be_restored(attached: Attached) -> None:
    attached.link.takes_orders = False
    refusal = attached.plant.apply("period_frames", 128)
    assert refusal is not None
    assert refusal.reason == "the monitor of the server takes no orders now"
    assert attached.lease.held == {}


def test_a_period_whose_restoration_came_to_nothing_is_restored_again(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    for second in (1.0, 2.0, 6.0, 8.0):
        lock = "" if second == 1.0 else "renderer"
        attached.says(second, forced_frames=128, period_frames=128, locked_by=lock)
        attached.plant.observe()
    assert attached.link.told == ["period 128", "period 0", "period 0"]


def test_a_server_that_is_started_again_after_its_period_was_restored_is_no_other_hand(
    attached: Attached,
) -> None:
    for second, forced, period in ((1.0, 128, 128), (2.0, 0, 64)):
        attached.plant.apply("period_frames", period)
        attached.says(second, cycles=1, forced_frames=forced, period_frames=period)
        attached.plant.observe()
    attached.says(3.0, cookie=8, cycles=1, period_frames=1024)
    attached.plant.observe()
    assert "the server was started again" in attached.plant.knobs()["period_frames"].lapsed


def test_the_period_only_grows_and_by_doubles():
    assert doubles(1024, LONGEST_PERIOD) == (1024, 2048, 4096)
    assert doubles(8192, LONGEST_PERIOD) == (8192,)

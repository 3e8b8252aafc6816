"""Observations of an audio server, as it plays, rests, stands still and is started again."""

from __future__ import annotations

import pytest
from attached_plant import Attached, FakeLink
from monitor_lines import driver

from controller.errors import PlantError
from controller.linux.process_id import ProcessId
from controller.plants.audio_server.period_knob import LONGEST_PERIOD
from controller.plants.checks import CHECKS, check
from controller.plants.pipewire.plant import PipeWirePlant
from policies.knobs import Choice
from policies.observation import Missing, Value, fresh
from policies.proposal import Refusal


@pytest.mark.parametrize("name", CHECKS)
def test_it_keeps_to_what_is_asked_of_every_plant(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Attached] = []

    def attach() -> PipeWirePlant:
        made.append(Attached(monkeypatch))
        return made[-1].plant

    check(name, attach, lambda _: made[-1].obeys())


def test_cycles_that_were_not_done_in_time_are_missed(attached: Attached) -> None:
    attached.says(1.0, cycles=750, missed=15, latency_ms=[0.1] * 99, lateness_ms=[0.02])
    attached.says(2.0, cycles=1500, missed=30, latency_ms=[1.3], busy_share=0.5)
    seen = attached.plant.observe()
    assert seen.blocks is not None
    assert (seen.blocks.submitted, seen.blocks.lost) == (1500, 30)
    assert seen.latency.max_ms == Value(1.3)
    assert seen.latency.p50_ms == Value(0.1)
    assert seen.stages["wait"].start_lateness.max_ms == Value(0.02)
    assert fresh(seen.get("audio.xruns_per_s")) == 15.0
    assert fresh(seen.get("audio.dsp_load")) == 0.5
    assert isinstance(seen.stages["compute"].service_time.p99_ms, Missing)


def test_times_are_those_of_one_interval(attached: Attached) -> None:
    attached.says(1.0, cycles=750, latency_ms=[0.9])
    attached.plant.observe()
    attached.says(2.0, cycles=1500, latency_ms=[0.1])
    assert attached.plant.observe().latency.max_ms == Value(0.1)


def test_a_tool_that_counts_from_the_start_again_shows_no_negative_cycles(
    attached: Attached,
) -> None:
    attached.says(1.0, cycles=750, missed=9)
    attached.plant.observe()
    attached.says(2.0, cycles=300, missed=1)
    blocks = attached.plant.observe().blocks
    assert blocks is not None
    assert (blocks.submitted, blocks.lost) == (300, 1)


def test_where_nothing_plays_nothing_stands_still(attached: Attached) -> None:
    for second in (3.0, 6.0, 9.0, 12.0):
        attached.says(second, rests="nothing plays")
        seen = attached.plant.observe()
        assert seen.events == ()
        assert seen.blocks is None
        assert seen.get("audio.dsp_load") == Missing("nothing plays")


def test_a_server_that_stands_still_is_an_event_and_so_is_its_recovery(attached: Attached) -> None:
    attached.says(1.0, cycles=750)
    attached.plant.observe()
    attached.says(6.0, cycles=750)
    seen = attached.plant.observe()
    gone = "pipewire: the server is gone or stands still: no cycle has begun"
    assert seen.events == (gone,)
    assert seen.load == Missing("no cycle has begun")
    assert seen.blocks is None
    assert "period_frames" not in attached.plant.in_force()
    assert attached.plant.apply("period_frames", 128) == Refusal(
        "period_frames", "no server answers", passing=True
    )
    attached.says(7.0, cycles=800)
    assert attached.plant.observe().events == ("pipewire: the server plays again",)


def test_why_the_monitor_ended_is_why_nothing_is_known(attached: Attached) -> None:
    attached.link.pid, attached.link.error = None, ("the server has ended", "start it again")
    assert attached.plant.observe().load == Missing("the server has ended")
    assert attached.plant.helpers() == ()


def test_a_monitor_that_is_started_again_is_no_sign_of_a_server(attached: Attached) -> None:
    attached.says(1.0, cycles=750)
    attached.plant.observe()
    attached.link.pid = None
    attached.plant.observe()
    attached.link.pid = 2
    assert attached.plant.observe().events == ()
    attached.says(2.0, cookie=8, cycles=10)
    assert attached.plant.observe().events == ("pipewire: the server plays again",)


def test_without_a_server_at_the_start_there_is_no_plant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeLink, "wait", lambda self, patience_s: [])
    with pytest.raises(PlantError, match="no server answers; start one"):
        Attached(monkeypatch)


def test_what_the_server_refused_is_an_event(attached: Attached) -> None:
    attached.link.to_say.append({"refused": "the server refused to force a quantum of 128: why"})
    (event,) = attached.plant.observe().events
    assert event == "pipewire: the server refused to force a quantum of 128: why"


def test_a_graph_at_rest_is_no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    attached = Attached(monkeypatch, rests="nothing plays", period_frames=1024)
    assert attached.plant.knobs()["period_frames"].domain == Choice((1024,))
    attached.says(1.0, period_frames=64, cycles=100)
    seen = attached.plant.observe()
    assert seen.deadline_ms == pytest.approx(64 / 48)
    domain = attached.plant.knobs()["period_frames"].domain
    assert domain == Choice((64, 128, 256, 512, 1024, 2048, LONGEST_PERIOD))


def test_at_rest_nothing_is_in_force_and_nothing_has_a_deadline(attached: Attached) -> None:
    attached.says(1.0, rests="nothing plays")
    seen = attached.plant.observe()
    assert (seen.no_deadline, seen.discontinuity) == ("nothing plays", "nothing plays")
    assert seen.miss_rate == Missing("nothing plays")
    assert dict(attached.plant.in_force()) == {}
    attached.says(2.0, cycles=10)
    resumed = attached.plant.observe()
    assert (resumed.no_deadline, resumed.blocks) == ("nothing plays", None)  # for a part of it
    assert resumed.discontinuity == "a deadline holds again"
    attached.says(3.0, cycles=760, missed=2)
    after = attached.plant.observe()
    assert (after.no_deadline, after.discontinuity) == ("", "")
    assert after.blocks is not None
    assert (after.blocks.submitted, after.blocks.lost) == (750, 2)


def test_cycles_of_a_stall_are_counted_once_it_is_over(attached: Attached) -> None:
    for second, cycles in ((1.0, 750), (2.0, 750)):
        attached.says(second, cycles=cycles, missed=0)
        seen = attached.plant.observe()
    assert seen.blocks is None
    assert seen.get("audio.dsp_load") == Missing("no cycle has begun")
    attached.says(3.0, cycles=1500, missed=400)
    blocks = attached.plant.observe().blocks
    assert blocks is not None
    assert (blocks.submitted, blocks.lost) == (750, 400)


def test_a_monitor_that_was_started_again_says_nothing_of_a_server_yet(attached: Attached) -> None:
    attached.link.pid, attached.link.error = None, ("the server has ended", "start it again")
    assert attached.plant.observe().events == (
        "pipewire: the server is gone or stands still: the server has ended",
    )
    attached.link.pid = 2
    assert attached.plant.observe().events == ()
    attached.says(2.0, cycles=100)
    assert attached.plant.observe().events == ("pipewire: the server plays again",)


def test_threads_are_woken_by_their_own_drivers_and_those_of_the_server_by_all(
    attached: Attached,
) -> None:
    attached.says(
        1.0,
        server="100:5",
        clients=["200:6", "300:7", "400:8"],
        drivers=[driver(42, 64, 48_000, "200:6"), driver(47, 1024, 48_000, "200:6", "300:7")],
    )
    attached.plant.observe()
    assert attached.plant._rates() == {
        ProcessId(100, 5): (750.0, 46.875),
        ProcessId(200, 6): (750.0, 46.875),
        ProcessId(300, 7): (46.875,),
        ProcessId(400, 8): (),
    }
    assert attached.plant._threads_without_sound() == (100,)


def test_at_rest_the_processes_are_known_and_none_is_woken(attached: Attached) -> None:
    attached.says(1.0, rests="the server freewheels", server="100:5", clients=["200:6"])
    attached.plant.observe()
    assert attached.plant._rates() == {ProcessId(100, 5): (), ProcessId(200, 6): ()}


def test_blocks_tell_of_what_time_they_speak(attached: Attached) -> None:
    start_s = attached.plant.observe().time_s
    attached.says(1.0, cycles=600, counted_until_ns=800_000_000)
    attached.says(2.0, cycles=600, counted_until_ns=800_000_000)
    seen = attached.plant.observe()
    assert seen.blocks is not None
    assert seen.counted_s == pytest.approx((start_s - 2.0, start_s - 1.2))


def test_what_plays_and_is_not_counted_yet_is_no_silence(attached: Attached) -> None:
    for second in (1.0, 3.0, 5.0, 7.0):
        attached.says(second, cycles=0, seen=int(second))
        seen = attached.plant.observe()
        assert (seen.events, seen.blocks) == ((), None)


def test_a_server_that_ends_in_freewheel_is_not_said_to_freewheel_any_more(
    attached: Attached,
) -> None:
    attached.says(1.0, rests="the server freewheels")
    attached.plant.observe()
    attached.link.pid, attached.link.error = None, ("the server has ended", "start it again")
    seen = attached.plant.observe()
    assert seen.no_deadline == "the server has ended"
    assert dict(attached.plant.in_force()) == {}


def test_an_export_beside_devices_that_play_on_is_a_break_at_both_ends(attached: Attached) -> None:
    attached.says(1.0, cycles=750)
    attached.plant.observe()
    attached.says(2.0, cycles=1500, exports=True)
    assert "an export has begun" in attached.plant.observe().discontinuity
    assert "export" in attached.plant.knobs()["thread_classes"].obstacle
    attached.says(3.0, cycles=2250, exports=True)
    assert attached.plant.observe().discontinuity == ""
    attached.says(4.0, cycles=3000)
    assert "an export has ended" in attached.plant.observe().discontinuity

"""Whatever a service does wrong: nothing is turned blindly, nothing swings, all recovers."""

from __future__ import annotations

import pytest
from fake_service import ControlledService, FakeService, controlled, direction_changes
from fakes import Scripted, action

from policies.conductor.conductor import Conductor
from policies.proposal import Verdict

CALM, BUSY = 20.0, 90.0
AS_CONFIGURED = {"timeout_s": 0.05}


def alarms(ticks: list) -> str:
    return "\n".join(alarm for tick in ticks for alarm in tick.alarms)


def settled(service: FakeService, tick) -> bool:
    """Whether the load is carried."""
    return service.knobs["nodes"] > 1 and tick.observation.miss_rate.value <= 0.001


def nodes_of(ticks: list) -> list[int]:
    return [tick.settings["nodes"] for tick in ticks]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("down", "metrics: Remote end closed connection"),
        ("slow", "metrics: no answer"),
        ("drips", "metrics: no answer within 0.05 s"),
        ("broken", "metrics: 500 Internal Server Error"),
        ("redirects", "metrics: 302: sent on to http://127.0.0.1:9/ evil, which is not followed"),
        ("garbage", "metrics: no metrics:"),
        ("nan", "load: streams is nan"),
        ("negative", "load: -3 is below 0"),
        ("frozen", "blocks: no block was counted under a load of 20"),
    ],
)
def test_metrics_that_fail_or_lie_hold_every_knob_and_are_believed_again(fault, told):
    with controlled(Conductor(), **AS_CONFIGURED) as made:
        service = made.service
        service.streams = CALM
        calm = made.ticks(30)
        service.metrics = fault
        service.streams = BUSY
        asked = len(service.asked)
        blind = made.ticks(30)
        assert service.asked[asked:] == []
        assert told in alarms(blind)
        assert all(tick.duration_ms == 0.0 for tick in blind)
        service.metrics = "ok"
        service.release.set()
        made.plant._scraper.wait(5)
        seen = made.ticks(60)
        assert "back again" in alarms(seen)
        assert settled(service, seen[-1])
        assert direction_changes(nodes_of([*calm, *blind, *seen])) <= 1


def test_the_age_of_the_metrics_is_told_and_grows_while_nobody_answers():
    with controlled(Scripted()) as made:
        assert made.tick().observation.readings["metrics.age_s"].value <= 1.0
        made.service.metrics = "down"
        ages_s = [tick.observation.readings["metrics.age_s"].value for tick in made.ticks(3)]
        assert ages_s == [ages_s[0], ages_s[0] + 1.0, ages_s[0] + 2.0]


def test_an_answer_without_end_is_cut_short():
    with controlled(Scripted()) as made:
        made.service.metrics = "endless"
        ticks = made.ticks(3)
        assert "metrics: the answer is longer than 4 MiB" in alarms(ticks)


def test_counters_that_start_over_cost_one_interval_and_turn_nothing():
    with controlled(Conductor()) as made:
        made.service.streams = CALM
        made.ticks(30)
        asked = len(made.service.asked)
        made.service.start_over()
        tick = made.tick()
        assert tick.observation.blocks is None
        assert "it started over" in tick.observation.readings["blocks"].reason
        assert made.tick().observation.blocks is not None
        assert made.service.asked[asked:] == []


def test_counters_that_keep_falling_are_never_believed():
    with controlled(Conductor()) as made:
        made.service.streams = CALM
        made.ticks(30)
        asked = len(made.service.asked)
        ticks = []
        for count in range(40_000, 0, -2000):
            made.service.counts["blocks"] = float(count)
            ticks.append(made.tick())
        assert all(tick.observation.blocks is None for tick in ticks)
        assert made.service.asked[asked:] == []
        assert alarms(ticks).count("it started over") == 1


@pytest.mark.parametrize(
    ("fault", "told", "most_requests"),
    [
        ("refuses", "503", 8),
        ("ignores", "was asked for", 8),
        ("hangs", "the request for", 8),
    ],
)
def test_a_control_endpoint_that_does_not_act_is_asked_seldom_and_used_again(
    fault, told, most_requests
):
    with controlled(Conductor(), **AS_CONFIGURED) as made:
        service = made.service
        service.streams = CALM
        calm = made.ticks(30)
        service.control = fault
        service.streams = BUSY
        asked = len(service.asked)
        overloaded = made.ticks(120)
        assert 0 < len(service.asked) - asked <= most_requests
        refusals = "\n".join(each.reason for tick in overloaded for each in tick.refusals)
        assert told in alarms(overloaded) + refusals
        assert "\x1b" not in alarms(overloaded) + refusals
        service.control = "ok"
        service.release.set()
        served = made.ticks(120)
        assert settled(service, served[-1])
        assert direction_changes(nodes_of([*calm, *overloaded, *served])) <= 1


def test_a_service_that_gives_less_than_it_is_asked_for_has_shown_its_limit():
    with controlled(Scripted(action("batch_size", 64))) as made:
        made.service.control = "clamps"
        ticks = made.ticks(200)
        assert made.service.knobs["batch_size"] == 16
        assert len(made.service.asked) == 1
        assert "batch_size: 64 was asked for" in alarms(ticks)
        assert "16 is as far as it went" in alarms(ticks)
        assert not any("another hand" in hold.reason for tick in ticks for hold in tick.holds)
        assert ticks[-1].states["batch_size"].observed == 16


def test_a_service_that_acts_late_is_waited_for_and_asked_for_nothing_twice_over():
    with controlled(Conductor()) as made:
        made.service.streams = CALM
        made.ticks(30)
        made.service.acts_late_by_s = 40.0
        made.service.streams = BUSY
        ticks = made.ticks(400)
        assert settled(made.service, ticks[-1])
        assert direction_changes(nodes_of(ticks)) <= 1
        assert not any("another hand" in hold.reason for tick in ticks for hold in tick.holds)


def test_a_request_that_is_heard_and_not_answered_is_recognised_when_it_comes_into_force():
    with controlled(Scripted(action("nodes", 2)), **AS_CONFIGURED) as made:
        made.service.control = "acts and does not answer"
        first, *later = made.ticks(8)
        assert first.refusals == ()
        assert "nodes: the request for 2 failed: Remote end closed" in alarms(later)
        assert later[-1].settings["nodes"] == 2
        made.rig.policy.wants = (action("nodes", 3),)
        assert not any(tick.holds for tick in made.ticks(8)[4:])
        assert made.service.knobs["nodes"] == 3


def test_a_value_that_the_service_forbids_is_evidence_against_it():
    with controlled(Scripted(action("nodes", 2))) as made:
        made.service.control = "forbids"
        tick = made.tick()
        assert tick.refusals[0].reason == "422 Unprocessable Entity: too many"
        assert tick.verifications[0].verdict is Verdict.REFUSED


def test_a_refusal_that_may_pass_is_no_evidence():
    with controlled(Scripted(action("nodes", 2))) as made:
        made.service.control = "refuses"
        tick = made.tick()
        assert tick.refusals[0].reason == "503 Service Unavailable: not now [2J"
        assert tick.verifications[0].verdict is Verdict.UNDECIDED


def test_what_is_asked_for_while_the_service_is_silent_is_refused_with_the_age_of_the_metrics():
    with controlled(Scripted(), **AS_CONFIGURED) as made:
        made.ticks(3)
        made.service.metrics = "down"
        made.rig.policy.wants = (action("nodes", 2),)
        assert blind_refusal(made).startswith("nothing is turned unseen: no metrics for 1.1 s")


def blind_refusal(made: ControlledService) -> str:
    made.tick()
    refusal = made.plant.apply("nodes", 2)
    assert refusal is not None
    assert refusal.passing
    return refusal.reason


# the end


def test_a_knob_that_was_clamped_is_restored_at_the_end():
    service = FakeService()
    service.control = "clamps"
    with controlled(Scripted(), service) as made:
        made.plant.apply("nodes", 3)
        made.ticks(3)
        assert service.knobs["nodes"] == 2
    assert service.asked[-1] == ("nodes", 1)


def test_a_request_that_is_pending_at_the_end_is_followed_by_one_for_what_was_found():
    service = FakeService()
    service.acts_late_by_s = 8.0
    with controlled(Scripted(), service) as made:
        made.plant.apply("nodes", 3)
        made.ticks(2)
    for _ in range(10):
        service.play(1.0)
    assert service.asked == [("nodes", 3), ("nodes", 1)]
    assert service.knobs["nodes"] == 1


@pytest.mark.parametrize("theirs", [1, 2, 4])
def test_what_another_hand_set_after_a_request_came_into_force_stays(theirs):
    with controlled(Scripted()) as made:
        made.plant.apply("nodes", 3)
        made.ticks(2)
        made.service.knobs["nodes"] = theirs
        made.tick()
        made.plant.close()
        assert made.service.asked == [("nodes", 3)]


def test_what_is_turned_after_another_hand_is_restored_to_what_that_hand_set():
    with controlled(Scripted()) as made:
        made.plant.apply("nodes", 2)
        made.tick()
        made.service.knobs["nodes"] = 4
        made.tick()
        made.plant.apply("nodes", 3)
        made.tick()
        made.plant.close()
        assert made.service.knobs["nodes"] == 4


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("refuses", "503 Service Unavailable: not now [2J"),
        ("hangs", "no answer within 0.2 s"),
        ("acts and does not answer", "Remote end closed connection without response"),
    ],
)
def test_what_may_not_have_been_restored_is_told_in_one_line(fault, why, capsys):
    with controlled(Scripted()) as made:
        made.plant.apply("nodes", 2)
        made.tick()
        made.service.control = fault
        made.plant.close()
        assert capsys.readouterr().err == (
            f"kapellmeister: nodes may not be back at 1, as it was found: {why}; set it by hand\n"
        )


def test_nothing_is_said_or_asked_at_the_end_where_all_is_as_it_was_found(capsys):
    with controlled(Scripted()) as made:
        made.plant.apply("nodes", 2)
        made.tick()
        made.plant.restore("nodes")
        made.tick()
        made.plant.close()
        assert made.service.asked == [("nodes", 2), ("nodes", 1)]
    assert capsys.readouterr().err == ""

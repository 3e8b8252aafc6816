"""A service as a plant: its figures are seen, its knobs turned, and a mapping refused."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from fake_service import MAPPING, FakeService, controlled, served, surroundings
from fakes import OBJECTIVE, FakeClock, Scripted, action
from prometheus_client import generate_latest
from pydantic import ValidationError

from controller.config.remote import RemoteSection
from controller.errors import ConfigurationError, PlantError
from controller.instruments.metric_families import Totals, families
from controller.plants.remote.plant import RemotePlant
from policies.knobs import Bounds, Choice, Knob
from policies.observation import BlockCounts, Stale, Value


def test_what_is_seen_of_a_service_is_what_it_shows():
    with controlled(Scripted()) as made:
        seen = made.tick().observation
    assert seen.load == Value(20.0)
    assert seen.blocks == BlockCounts(on_time=4000)
    assert seen.readings["audio.utilisation"].value == pytest.approx(0.7)
    assert seen.interval_s == pytest.approx(0.9)
    assert made.plant.deadline_ms == 5.0


def test_a_knob_is_described_as_the_configuration_says_and_its_disruption_is_learned():
    with controlled(Scripted(action("nodes", 2))) as made:
        assert made.plant.knobs() == {
            "nodes": Knob("nodes", Bounds(1, 4, step=3), "cpu", 1.0),
            "batch_size": Knob("batch_size", Choice((8, 16, 32, 64)), "service", 1.0),
        }
        made.ticks(3)
        assert made.plant.knobs()["nodes"].disruption_ms == 2.5
        assert made.service.asked == [("nodes", 2)]


def test_a_change_comes_into_force_is_seen_and_judged():
    with controlled(Scripted(action("nodes", 2))) as made:
        ticks = made.ticks(5)
    assert ticks[1].states["nodes"].observed == 2
    assert [v.verdict.value for tick in ticks for v in tick.verifications] == ["confirmed"]


def test_one_scrape_late_is_an_old_figure_with_its_age_and_no_alarm():
    with controlled(Scripted()) as made:
        made.ticks(3)
        made.service.metrics = "down"
        seen = made.tick().observation
        assert seen.load == Stale(20.0, pytest.approx(1.1))
        assert seen.blocks is None
        assert "Remote end closed" in seen.latency.p99_ms.reason
        made.service.metrics = "ok"
        assert made.tick().observation.load == Value(20.0)
        assert not any(tick.alarms for tick in made.rig.recorder.ticks)


def test_a_scrape_that_took_too_long_is_no_fresh_one():
    with controlled(Scripted()) as made:
        made.tick()
        made.scrape()
        made.clock.time_s += 5.0
        assert isinstance(made.plant.observe().load, Stale)


def test_a_gauge_that_shows_no_whole_number_holds_its_knob_at_the_value_last_seen():
    with controlled(Scripted()) as made:
        made.service.play = lambda _: setattr(made.service, "page", made.service.render())
        for shown, why in (
            (math.nan, "workers is nan"),
            (1.5, "workers is 1.5, no whole number"),
            (1e308, "workers: 1e+308 is more than can be (1e+15)"),
        ):
            made.service.knobs["nodes"] = shown
            assert made.tick().settings["nodes"] == 1
            refused = made.plant.apply("nodes", 2)
            assert refused.reason == f"what is in force cannot be seen: {why}"


def test_a_value_beyond_the_bounds_is_never_sent():
    with controlled(Scripted()) as made:
        assert made.plant.apply("nodes", 9).reason == "9 is not allowed: 1 to 4"
        assert made.service.asked == []


def test_a_knob_is_restored_at_the_end_unless_another_hand_moved_it():
    service = FakeService()
    with controlled(Scripted(action("nodes", 2)), service) as made:
        made.ticks(3)
        assert service.knobs["nodes"] == 2
    assert service.asked == [("nodes", 2), ("nodes", 1)]
    service = FakeService()
    with controlled(Scripted(action("nodes", 2)), service) as made:
        made.ticks(3)
        service.knobs["nodes"] = 4
        made.tick()
    assert service.knobs["nodes"] == 4


def test_restore_puts_back_what_was_found():
    with controlled(Scripted(action("nodes", 2))) as made:
        assert made.plant.restore("nodes") is None
        made.ticks(3)
        assert made.plant.restore("nodes") is None
        assert made.service.knobs["nodes"] == 1


def test_a_request_under_way_is_not_followed_by_another():
    with controlled(Scripted(), timeout_s=5.0) as made:
        made.service.control = "hangs"
        assert made.plant.apply("nodes", 2) is None
        refusal = made.plant.apply("nodes", 3)
        assert refusal.reason == "the request for 2 is still under way"
        assert refusal.passing
        made.service.release.set()


OWNED = {"knobs": {"nodes": {"gauge": "workers", "low": 1, "high": 4, "step": 1, "owner": "keda"}}}


def test_what_another_scaler_owns_is_published_and_never_written():
    with controlled(Scripted(action("nodes", 3)), **OWNED) as made:
        first = made.tick()
        assert "desired.nodes" not in first.observation.readings
        tick = made.tick()
        assert tick.observation.readings["desired.nodes"] == Value(2.0)
        assert tick.settings["nodes"] == 1
        page = SimpleNamespace(collect=lambda: families(tick, Totals(), OBJECTIVE))
        assert "\nkapellmeister_desired_nodes 2.0\n" in generate_latest(page).decode()
        made.service.knobs["nodes"] = 4
        later = made.ticks(80)
        assert not any("another hand" in hold.reason for each in later for hold in each.holds)
        assert later[-1].observation.readings["desired.nodes"] == Value(3.0)
        assert later[-1].settings["nodes"] == 4
    assert made.service.asked == []


def refusal(section: dict[str, object], kind: type[Exception] = ConfigurationError) -> str:
    with pytest.raises(kind) as caught:
        RemotePlant(surroundings(section, FakeClock()))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_an_address_there_is_no_plant():
    assert refusal({}) == (
        "the configuration: remote.metrics_url: is empty; name the service in the table [remote] "
        "of a file given with --config"
    )


def test_a_service_that_does_not_answer_is_told_of_at_once():
    told = refusal(
        MAPPING | {"metrics_url": "http://127.0.0.1:9/m", "control_url": "http://x"}, PlantError
    )
    assert told == (
        "plant remote: http://127.0.0.1:9/m: Connection refused; start the service, or mend "
        "remote.metrics_url"
    )


def test_metrics_of_something_else_are_told_of_at_once():
    with served(FakeService()) as address:
        told = refusal({"metrics_url": address, "load": "other_streams"})
    assert told == (
        f"the configuration: remote: none of its metrics is at {address} (no sample matches "
        "other_streams); mend the names of the metrics"
    )


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"metrics_url": "ftp://x"}, "not an address such as"),
        ({"metrics_url": "http://me:secret@x/"}, "an address holds no password"),
        ({"metrics_url": "http://x:99999/"}, "the port of an address is 0 to 65535"),
        ({"load": "a b c"}, "not a metric, such as"),
        ({"blocks": {"late": "x"}}, "name on_time or submitted beside"),
        ({"blocks": {"on_time": "x", "submitted": "y"}}, "not both"),
        ({"knobs": {"nodes": {"gauge": "x"}}}, "name low and a greater high"),
        ({"knobs": {"nodes": {"gauge": "x", "low": 3, "high": 3}}}, "name low and a greater high"),
        ({"knobs": {"nodes": {"gauge": "x", "choice": [8, 4]}}}, "two or more values, ascending"),
        ({"knobs": {"nodes": {"gauge": "x", "low": 1, "choice": [4, 8]}}}, "not both"),
        ({"knobs": {"../x": {"gauge": "x", "low": 1, "high": 2}}}, "should match pattern"),
        (
            {"knobs": {"n": {"gauge": "x", "low": 1, "high": 2, "command": ["{value}"]}}},
            "no argument of the command holds {value}",
        ),
        (
            {"metrics_url": "http://x", "knobs": {"n": {"gauge": "x", "low": 1, "high": 2}}},
            "knob n has no command, and there is no control_url",
        ),
        ({"token_env": "A", "token_file": "b"}, "name token_env or token_file, not both"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(section, words):
    with pytest.raises(ValidationError, match=words):
        RemoteSection.model_validate(section)

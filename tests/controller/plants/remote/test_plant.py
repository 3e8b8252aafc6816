"""A service as a plant: what its metrics mean, how its knobs are turned, and what is refused."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_service import MAPPING, FakeService, bench, served, surroundings
from fakes import OBJECTIVE, FakeClock, Scripted, action
from prometheus_client import generate_latest
from pydantic import ValidationError

from controller.config.remote import LatencySection, RemoteSection
from controller.config.selector import Selector
from controller.errors import ConfigurationError, PlantError
from controller.instruments.families import Totals, families
from controller.plants.remote.latency import counted, quantiles
from controller.plants.remote.metrics import figures
from controller.plants.remote.plant import RemotePlant
from controller.plants.remote.samples import read_samples
from controller.plants.remote.scraper import Scrape
from controller.plants.remote.token import read_token
from policies.knobs import Bounds, Choice, Knob
from policies.observation import BlockCounts, Invalid, Missing, Stale, Value


def scrape(at_s: float, text: str, content_type: str = "text/plain") -> Scrape:
    return Scrape(at_s, read_samples(text, content_type))


def between(before: str, now: str, **section):
    """The figures of two seconds."""
    made = RemoteSection.model_validate(section)
    return figures(made, scrape(10.0, before), scrape(12.0, now))


# metrics


def test_a_selector_takes_samples_with_its_labels_and_adds_them_up():
    page = 'up{a="1",b="x"} 2\nup{a="1",b="y"} 3\nup{a="2"} 90\n'
    assert between("", page, load='up{a="1"}').load == Value(5.0)


@pytest.mark.parametrize(("of", "expected"), [("sum", 6.0), ("mean", 3.0), ("max", 4.0)])
def test_several_samples_become_one(of, expected):
    page = 'x{a="1"} 2\nx{a="2"} 4\n'
    assert between("", page, load={"metric": "x", "of": of}).load == Value(expected)


@pytest.mark.parametrize(
    "text", ["", "a b", "x 5", 'x{a="b"', "x\ny", '{a="b"}', "# TYPE x counter"]
)
def test_what_names_no_metric_is_no_selector(text):
    with pytest.raises(ValueError, match="not a metric, such as"):
        Selector.of(text)


def test_a_counter_is_known_with_its_suffix_and_without():
    page = '# TYPE nv_success counter\nnv_success{model="a"} 3\n'
    assert Selector.of("nv_success").among(read_samples(page, "text/plain"))
    openly = "# TYPE x counter\nx_total 3.0\n# EOF\n"
    kind = "application/openmetrics-text; version=1.0.0"
    assert Selector.of("x_total").among(read_samples(openly, kind)) == {frozenset(): 3.0}


@pytest.mark.parametrize(
    ("content", "reading"),
    [
        ("x NaN\n", Invalid("x is nan")),
        ("x +Inf\n", Invalid("x is inf")),
        ("x -1\n", Invalid("-1 is below 0")),
        ("x 1e308\n", Invalid("x: 1e+308 is more than can be (1e+15)")),
        ("y 1\n", Missing("no sample matches x")),
    ],
)
def test_a_load_that_cannot_be_true_is_no_load(content, reading):
    assert between("", content, load="x").load == reading


def test_what_is_told_of_a_page_that_is_none_moves_no_cursor():
    with pytest.raises(ValueError, match=r"^no metrics: Invalid labels: \[31m$"):
        read_samples("load{\x1b[31m} 1\n", "text/plain")


def test_blocks_are_what_the_counters_grew_by():
    mapped = {"on_time": 'b_total{o="ok"}', "late": 'b_total{o="late"}'}
    seen = between(
        'b_total{o="ok"} 5\n', 'b_total{o="ok"} 105\nb_total{o="late"} 4\n', blocks=mapped
    )
    assert seen.blocks == BlockCounts(on_time=100, late=4)


def test_blocks_on_time_may_be_what_remains_of_those_submitted():
    mapped = {"submitted": "b_total", "late": "l_total", "lost": "lost_total"}
    seen = between("b_total 0\nl_total 0\n", "b_total 100\nl_total 3\n", blocks=mapped)
    assert seen.blocks == BlockCounts(on_time=97, late=3)
    seen = between("b_total 0\nl_total 0\n", "b_total 1\nl_total 3\n", blocks=mapped)
    assert seen.blocks == Invalid("more blocks were missed than the 1 that were submitted")


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ("b_total 9\n", "b_total 3\n", "b_total fell from 9 to 3: it started over"),
        ("b_total 9\n", "b_total NaN\n", "b_total is nan, which no counter can be"),
        ("b_total 9\n", "b_total -2\n", "b_total is -2, which no counter can be"),
        ("b_total 9\n", "", "no sample matches b_total"),
        (
            "",
            'b_total{a="1"} 1e308\nb_total{a="2"} 1e308\n',
            "b_total: inf is more than can be (1e+15)",
        ),
        ("b_total 9\n", "b_total 1e308\n", "b_total: 1e+308 is more than can be (1e+15)"),
    ],
)
def test_counters_that_cannot_be_believed_count_nothing(before, now, reason):
    assert between(before, now, blocks={"on_time": "b_total"}).blocks.reason == reason


def test_a_series_that_is_gone_takes_nothing_from_the_others():
    before, now = 'b_total{m="1"} 10\nb_total{m="2"} 1000\n', 'b_total{m="1"} 15\n'
    assert between(before, now, blocks={"on_time": "b_total"}).blocks == BlockCounts(on_time=5)


def test_no_block_under_a_load_is_no_measurement_and_without_one_it_is():
    page = "x 3\nb_total 7\n"
    mapped = {"load": "x", "blocks": {"on_time": "b_total"}}
    assert between(page, page, **mapped).blocks == Missing("no block was counted under a load of 3")
    idle = "x 0\nb_total 7\n"
    assert between(idle, idle, **mapped).blocks == BlockCounts()


def test_a_reading_may_be_a_rate_or_a_quotient_of_two_counters_in_another_unit():
    readings = {
        "cpu.busy": {"metric": "cpu_total", "per": "seconds"},
        "queue.wait_ms": {"metric": "wait_us_total", "per": "done_total", "scale": 0.001},
    }
    before, now = (
        "cpu_total 1\nwait_us_total 0\ndone_total 0\n",
        ("cpu_total 2\nwait_us_total 8000\ndone_total 4\n"),
    )
    seen = between(before, now, readings=readings)
    assert seen.readings == {"cpu.busy": Value(0.5), "queue.wait_ms": Value(2.0)}
    idle = between(now, now, readings=readings)
    assert idle.readings["queue.wait_ms"] == Missing("nothing was counted")


# latency

HISTOGRAM = 'l_bucket{{le="0.01"}} {0}\nl_bucket{{le="0.02"}} {1}\nl_bucket{{le="+Inf"}} {2}\n'
SECONDS = LatencySection(metric="l")


def test_quantiles_are_those_of_what_was_counted_between_two_scrapes():
    before, now = (
        scrape(0.0, HISTOGRAM.format(1000, 2000, 3000)),
        scrape(1.0, HISTOGRAM.format(1050, 2100, 3100)),
    )
    seen = quantiles(SECONDS, before, now)
    assert seen.p50_ms.value == pytest.approx(10.0)
    assert seen.p95_ms.value == pytest.approx(19.0)
    assert seen.max_ms.value == pytest.approx(20.0)


def test_beyond_the_greatest_bound_nothing_is_known():
    before, now = scrape(0.0, HISTOGRAM.format(0, 0, 0)), scrape(1.0, HISTOGRAM.format(0, 0, 9))
    assert quantiles(SECONDS, before, now).p50_ms == Missing(
        "above 20 ms, the greatest bound of the histogram"
    )
    assert quantiles(SECONDS, before, before).p99_ms == Missing("nothing was measured")


@pytest.mark.parametrize(("deadline_ms", "on_time"), [(10.0, 50), (15.0, 50), (20.0, 90), (5.0, 0)])
def test_a_histogram_tells_what_was_on_time_and_counts_what_is_unsure_as_late(deadline_ms, on_time):
    before, now = scrape(0.0, HISTOGRAM.format(0, 0, 0)), scrape(1.0, HISTOGRAM.format(50, 90, 100))
    assert counted(SECONDS, deadline_ms, before, now) == BlockCounts(on_time, 100 - on_time)


def test_buckets_that_do_not_add_up_are_not_believed():
    before, now = scrape(0.0, HISTOGRAM.format(0, 0, 0)), scrape(1.0, HISTOGRAM.format(50, 20, 100))
    assert quantiles(SECONDS, before, now).p50_ms == Invalid("the buckets of l do not add up")


def test_a_summary_states_its_quantiles_and_the_worst_series_counts():
    page = (
        'l{quantile="0.5"} 0.002\nl{quantile="0.99",m="a"} 0.004\nl{quantile="0.99",m="b"} 0.006\n'
    )
    seen = quantiles(SECONDS, scrape(0.0, page), scrape(1.0, page))
    assert (seen.p50_ms, seen.p99_ms) == (Value(2.0), Value(6.0))
    assert seen.p95_ms == Missing("l has no quantile 0.95")
    nothing = scrape(0.0, 'l{quantile="0.99"} NaN\n')
    assert isinstance(quantiles(SECONDS, nothing, nothing).p99_ms, Invalid)


# the plant


def test_what_is_seen_of_a_service_is_what_it_shows():
    with bench(Scripted()) as made:
        seen = made.tick().observation
    assert seen.load == Value(20.0)
    assert seen.blocks == BlockCounts(on_time=4000)
    assert seen.readings["audio.utilisation"].value == pytest.approx(0.7)
    assert seen.interval_s == pytest.approx(0.9)
    assert made.plant.deadline_ms == 5.0


def test_a_knob_is_described_as_the_configuration_says_and_its_disruption_is_learned():
    with bench(Scripted(action("nodes", 2))) as made:
        assert made.plant.knobs() == {
            "nodes": Knob("nodes", Bounds(1, 4, step=3), "cpu", 1.0),
            "batch_size": Knob("batch_size", Choice((8, 16, 32, 64)), "service", 1.0),
        }
        made.ticks(3)
        assert made.plant.knobs()["nodes"].disruption_ms == 2.5
        assert made.service.asked == [("nodes", 2)]


def test_a_change_comes_into_force_is_seen_and_judged():
    with bench(Scripted(action("nodes", 2))) as made:
        ticks = made.ticks(5)
    assert ticks[1].states["nodes"].observed == 2
    assert [v.verdict.value for tick in ticks for v in tick.verifications] == ["confirmed"]


def test_one_scrape_late_is_an_old_figure_with_its_age_and_no_alarm():
    with bench(Scripted()) as made:
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
    with bench(Scripted()) as made:
        made.tick()
        made.scrape()
        made.clock.time_s += 5.0
        assert isinstance(made.plant.observe().load, Stale)


def test_a_gauge_that_shows_no_whole_number_holds_its_knob_at_the_value_last_seen():
    with bench(Scripted()) as made:
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
    with bench(Scripted()) as made:
        assert made.plant.apply("nodes", 9).reason == "9 is not allowed: 1 to 4"
        assert made.service.asked == []


def test_a_knob_is_put_back_at_the_end_unless_another_hand_moved_it():
    service = FakeService()
    with bench(Scripted(action("nodes", 2)), service) as made:
        made.ticks(3)
        assert service.knobs["nodes"] == 2
    assert service.asked == [("nodes", 2), ("nodes", 1)]
    service = FakeService()
    with bench(Scripted(action("nodes", 2)), service) as made:
        made.ticks(3)
        service.knobs["nodes"] = 4
        made.tick()
    assert service.knobs["nodes"] == 4


def test_restore_puts_back_what_was_found():
    with bench(Scripted(action("nodes", 2))) as made:
        assert made.plant.restore("nodes") is None
        made.ticks(3)
        assert made.plant.restore("nodes") is None
        assert made.service.knobs["nodes"] == 1


def test_a_request_under_way_is_not_followed_by_another():
    with bench(Scripted(), timeout_s=5.0) as made:
        made.service.control = "hangs"
        assert made.plant.apply("nodes", 2) is None
        refusal = made.plant.apply("nodes", 3)
        assert refusal.reason == "the request for 2 is still under way"
        assert refusal.passing
        made.service.release.set()


OWNED = {"knobs": {"nodes": {"gauge": "workers", "low": 1, "high": 4, "step": 1, "owner": "keda"}}}


def test_what_another_scaler_owns_is_published_and_never_written():
    with bench(Scripted(action("nodes", 3)), **OWNED) as made:
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


def test_a_command_turns_a_knob_and_gets_the_value_as_one_argument(tmp_path: Path):
    script = f"import sys; open({str(tmp_path / 'asked')!r}, 'w').write(sys.argv[1])"
    with bench(Scripted(action("nodes", 2)), **commanded(script, "{value};x")) as made:
        assert made.tick().refusals == ()
        made.plant._requests.wait(10)
        assert (tmp_path / "asked").read_text() == "2;x"


def test_a_command_that_fails_is_a_refusal_in_its_own_words():
    script = "import sys; sys.exit('Traceback\\nno room\\x1b[2J')"
    with bench(Scripted(action("nodes", 2)), **commanded(script, "{value}")) as made:
        tick = made.tick()
        assert tick.refusals[0].reason == f"{sys.executable} ended with 1: no room [2J"


def test_a_command_that_hangs_ends_with_all_that_it_started():
    script = "import subprocess; subprocess.run(['sleep', '60'])"
    with bench(Scripted(action("nodes", 2)), **commanded(script, "{value}")) as made:
        made.tick()
        made.plant._requests.wait(10)
        assert made.tick().alarms == (
            f"nodes: the request for 2 failed: {sys.executable}: not done within 0.5 s",
        )


def test_a_command_that_does_not_exist_is_refused_for_good():
    knob = {"gauge": "workers", "low": 1, "high": 4, "command": ["/no/such", "{value}"]}
    with bench(Scripted(action("nodes", 2)), knobs={"nodes": knob}) as made:
        assert made.tick().refusals[0].reason == (
            "/no/such: No such file or directory (there is no folder /no); "
            "make it, or name another program"
        )


def commanded(script: str, argument: str) -> dict[str, object]:
    command = [sys.executable, "-c", script, argument]
    knob = {"gauge": "workers", "low": 1, "high": 4, "delay_s": 1, "command": command}
    return {"knobs": {"nodes": knob}, "timeout_s": 0.5}


# where it cannot be


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


# secrets


def test_a_token_goes_with_each_request_and_into_nothing_that_is_kept(monkeypatch):
    monkeypatch.setenv("SERVICE_TOKEN", "s3cret\n")
    service = FakeService()
    with bench(Scripted(action("nodes", 2)), service, token_env="SERVICE_TOKEN") as made:
        made.ticks(3)
        assert "s3cret" not in repr(made.rig.recorder.ticks)
    assert all(each["Authorization"] == "Bearer s3cret" for each in service.headers)


def test_a_token_file_that_others_may_read_is_refused(tmp_path: Path):
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    path.chmod(0o640)
    with pytest.raises(ConfigurationError) as caught:
        read_token(RemoteSection(token_file=str(path)))
    assert str(caught.value) == (
        f"{path}: remote.token_file: others may read it (mode 640); chmod 600 {path}"
    )
    path.chmod(0o600)
    assert read_token(RemoteSection(token_file=str(path))) == "s3cret"


def test_a_token_that_is_not_there_is_missed_in_one_line(tmp_path: Path):
    for section in ({"token_env": "NO_SUCH_TOKEN"}, {"token_file": str(tmp_path / "none")}):
        with pytest.raises(ConfigurationError) as caught:
            read_token(RemoteSection.model_validate(section))
        assert "\n" not in str(caught.value)
    broken = tmp_path / "token"
    broken.write_text("a\nb: c")
    broken.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds what no header can carry"):
        read_token(RemoteSection(token_file=str(broken)))

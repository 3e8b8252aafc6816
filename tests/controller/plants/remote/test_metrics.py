"""Load, blocks, latency and readings out of the metrics of a service."""

from __future__ import annotations

import pytest

from controller.config.remote import LatencySection, RemoteSection
from controller.config.selector import Selector
from controller.plants.remote.latency import counted, quantiles
from controller.plants.remote.metrics import figures
from controller.plants.remote.samples import read_samples
from controller.plants.remote.scraper import Scrape
from policies.observation import BlockCounts, Invalid, Missing, Value


def scrape(at_s: float, text: str, content_type: str = "text/plain") -> Scrape:
    return Scrape(at_s, read_samples(text, content_type))


def between(before: str, now: str, **section):
    """The figures of two seconds."""
    made = RemoteSection.model_validate(section)
    return figures(made, scrape(10.0, before), scrape(12.0, now))


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

"""The report of a run on a plant that keeps no figures of its own."""

from __future__ import annotations

from dataclasses import replace

from ticks import SILENT

from controller.plants.jack.plant import JackPlant
from controller.plants.process.plant import ProcessPlant
from controller.plants.remote.plant import RemotePlant
from kapellmeister.running.controlled.observed import Observed
from kapellmeister.running.report import OverheadFigures, RunDelayFigures, RunReport, report_from
from policies.observation import BlockCounts, Counted, Observation, Value

OVERHEAD = OverheadFigures(
    cpu_share=0.01, tick_ms_p50=5.0, tick_ms_p99=9.0, rss_mib=200.0, ticks=3, overruns=0
)


def report_of(*intervals: Observation, counted: Counted = "blocks") -> RunReport:
    observed = Observed(counted)
    for each in intervals:
        observed(replace(SILENT, observation=each))
    return report_from(
        observed.summary(),
        plant="some",
        policy="conductor",
        shadow=False,
        acting="all",
        deadline_ms=5.0,
        buffer_blocks=1,
        decisions=0,
        rollbacks=0,
        steal_share=None,
        overhead=OVERHEAD,
    )


def interval(
    number: int, blocks: BlockCounts | None = None, delay_ms: float | None = None
) -> Observation:
    delays = {} if delay_ms is None else {"audio.run_delay_per_wake_ms": Value(delay_ms)}
    return Observation(1000.0 + number, 1.0, blocks=blocks, readings=delays)


def test_a_plant_that_counts_no_blocks_has_none_in_its_report():
    report = report_of(interval(1), interval(2))
    assert (report.blocks, report.miss_rate) == (None, None)
    assert not {"blocks", "missed"} & dict(report.lines()).keys()


def test_how_soon_audio_threads_ran_is_told_as_the_median_and_the_worst_of_the_intervals():
    delays_ms = (0.02, 4.0, 0.06)
    report = report_of(*(interval(n, delay_ms=each) for n, each in enumerate(delays_ms, 1)))
    assert report.run_delay_per_wake_ms == RunDelayFigures(median=0.06, max=4.0)
    assert dict(report.lines())["run delay"] == (
        "audio threads ran 0.06 ms after they woke (median), 4.00 ms in the worst interval"
    )


def test_no_run_delay_is_told_where_none_was_read():
    report = report_of(interval(1, BlockCounts(on_time=10)))
    assert report.run_delay_per_wake_ms is None
    assert "run delay" not in dict(report.lines())


def test_blocks_of_all_intervals_are_told_by_outcome():
    counts = BlockCounts(on_time=995, late=1, concealed=2, lost=2)
    report = report_of(interval(1, counts), interval(2), interval(3, counts))
    assert report.miss_rate == 0.005
    assert dict(report.lines())["blocks"] == (
        "2,000 submitted = 1,990 on time + 2 late + 4 concealed + 4 lost"
    )


def test_of_the_cycles_of_a_server_those_that_were_missed_are_told_and_not_how():
    report = report_of(interval(1, BlockCounts(on_time=1990, lost=10)), counted="cycles")
    told = dict(report.lines())
    assert (told["cycles"], told["missed"]) == ("2,000 = 1,990 on time + 10 missed", "0.500%")
    assert "blocks" not in told


def test_an_audio_server_counts_cycles_and_others_count_blocks():
    counted = {plant.name: plant.counted for plant in (JackPlant, ProcessPlant, RemotePlant)}
    assert counted == {"jack": "cycles", "process": "blocks", "remote": "blocks"}

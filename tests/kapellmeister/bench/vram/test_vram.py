"""The bench of device memory: its loads, and peers that are held to the same."""

import numpy as np
import pytest
from rich.console import Console

from controller.executors.vram.traces import replay
from kapellmeister.bench.vram.loads import day, steady
from kapellmeister.bench.vram.measure import bench_vram
from kapellmeister.bench.vram.peers import BestFit, SizeClasses
from kapellmeister.bench.vram.pipeline import stages
from kapellmeister.bench.vram.report import print_report
from kapellmeister.bench.vram.subjects import PATIENT
from kapellmeister.bench.vram.timed import Timed

MIB = 1 << 20


def held_bytes(trace):
    """Bytes that are asked for after each operation."""
    sizes = {number: size for number, size, _ in trace if size}
    return np.cumsum([size or -sizes[number] for number, size, _ in trace])


def test_a_steady_load_stays_below_its_fill():
    held = held_bytes(steady(256 * MIB, 0.8, 20_000, seed=3))
    assert held.max() <= 0.8 * 256 * MIB
    assert held[len(held) // 2 :].min() >= 0.8 * 256 * MIB - 2 * 16 * MIB


def test_a_day_has_its_trough_at_night_and_its_peak_at_noon():
    held = held_bytes(day(1024 * MIB, seed=3)) / (1024 * MIB)
    assert 0.4 < held[-1] < 0.8
    assert 0.7 < held[len(held) // 2] < 1.1


def test_size_classes_round_up_to_four_a_doubling():
    sizes = [1, 257, 4097, 5000, 5121, 1_000_000]
    assert [SizeClasses.rounded(size) for size in sizes] == [256, 512, 5120, 5120, 6144, 1_048_576]


def test_refusals_are_told_apart_by_what_was_free():
    timed = Timed(BestFit(160 * MIB))
    replay(stages(160 * MIB), timed)
    assert timed.refused["fragmented"] > 0
    assert timed.refused_share == timed.refused["fragmented"] / len(timed.allocate_ns)


@pytest.mark.parametrize("mib", [64, 160, 1030])
def test_three_stages_of_differing_sizes_that_just_fit_pass(mib):
    assert replay(stages(mib * MIB), PATIENT.make(mib * MIB)) == ()


def test_the_report_holds_each_figure_beside_its_goal():
    report = bench_vram(2, 1500, 0.02, lambda share: None, arena_bytes=64 * MIB)
    console = Console(record=True, width=160)
    print_report(report, console)
    text = console.export_text()
    assert "kapellmeister, 80% full: refused with room left" in text
    assert "three stages A-B-A, best fit alone: refused" in text
    assert [each.allocator for each in report.days] == [
        "kapellmeister",
        "best fit alone",
        "size classes",
    ]

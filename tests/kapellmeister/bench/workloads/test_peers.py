import sys

import numpy as np
import pytest

from controller.sound.bank import SoundBank
from kapellmeister.bench.workloads import peers
from kapellmeister.bench.workloads.figures import WorkloadsReport
from kapellmeister.bench.workloads.inputs import reverberant_room
from kapellmeister.bench.workloads.measure import bench_workloads
from kapellmeister.bench.workloads.renderers import (
    FftconvolveBatched,
    FftconvolvePerStream,
    Kapellmeister,
    PedalboardPerStream,
    WholeSignal,
)


@pytest.fixture(scope="module")
def task(synthetic_sounds):
    """Forty blocks of five streams, and a response of 700 taps for each."""
    bank = SoundBank(synthetic_sounds, 256, streams=5)
    inputs = np.stack([bank.gather(index, np.arange(5)) for index in range(40)])
    return inputs, reverberant_room(5, 700)


def make_whole(inputs, hrirs):
    return WholeSignal("oaconvolve", inputs, hrirs)


@pytest.mark.parametrize(
    "peer", [FftconvolvePerStream, FftconvolveBatched, make_whole, PedalboardPerStream]
)
def test_every_peer_does_the_same_work(task, peer):
    if peer is PedalboardPerStream:
        pytest.importorskip("pedalboard", reason="pedalboard is not installed (extra: bench)")
    expected = peers.rendered(Kapellmeister(*task), 32)
    assert np.abs(expected).max() > 0.01
    assert peers.difference_from(peer(*task), expected) < 1e-5


def test_a_peer_whose_output_differs_is_given_no_figures():
    figures = peers.peer_figures(PedalboardPerStream.name, 0.01, [100.0], [5000.0])
    assert figures.ratio is None
    assert figures.block_us is None
    assert figures.remark == "its output differs from ours"


def test_ratios_are_taken_round_by_round():
    figures = peers.peer_figures(
        FftconvolvePerStream.name, 1e-7, [100.0, 200.0, 100.0], [4000.0, 8400.0, 4400.0]
    )
    assert figures.ratio is not None
    assert (figures.ratio.lowest, figures.ratio.median, figures.ratio.highest) == (40, 42, 44)
    assert figures.goal == 40.0


def test_a_peer_that_is_not_installed_is_named_with_the_remedy(task, monkeypatch):
    monkeypatch.setitem(sys.modules, "pedalboard", None)
    found, absent = peers.peers_here(*task)
    assert PedalboardPerStream.name not in [peer.name for peer in found]
    assert [peer.name for peer in absent] == [PedalboardPerStream.name]
    assert "kapellmeister[bench]" in str(absent[0].remark)


@pytest.mark.slow
def test_the_whole_bench_runs_and_its_report_crosses_to_json():
    report = bench_workloads(rounds=1, slice_s=0.01)
    again = WorkloadsReport.model_validate_json(report.model_dump_json())
    assert again == report
    assert {cost.streams for cost in report.costs} == {256}
    assert all(peer.difference is None or peer.difference < 1e-4 for peer in report.peers)

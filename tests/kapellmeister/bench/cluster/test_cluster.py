"""The bench of rounds to workers and back."""

import sys

import numpy as np
import pytest
from rich.console import Console

from controller.errors import MissingExtraError
from controller.executors.processes import ProcessGroup
from kapellmeister.bench.cluster import zeromq
from kapellmeister.bench.cluster.figures import ClusterReport
from kapellmeister.bench.cluster.measure import bench_cluster, plane_figures
from kapellmeister.bench.cluster.plane import shares
from kapellmeister.bench.cluster.planes import BARE, CURVE, OURS, OURS_ENCRYPTED, PLANES
from kapellmeister.bench.cluster.report import print_report
from kapellmeister.bench.cluster.rounds import returns_all


class Deaf:
    """A plane whose workers give back silence."""

    def __init__(self, workers, group):
        pass

    def round(self, blocks):
        return np.zeros_like(blocks)

    def close(self):
        pass


def test_streams_are_shared_out_as_equally_as_can_be():
    assert shares(4) == (slice(0, 16), slice(16, 32), slice(32, 48), slice(48, 64))
    assert [share.stop - share.start for share in shares(3)] == [21, 21, 22]


def test_ratios_are_taken_window_by_window_against_the_plane_of_the_goal():
    times = {BARE: [[100.0, 100.0, 900.0], [200.0] * 3], OURS: [[120.0] * 3, [280.0] * 3]}
    bare, ours = plane_figures(2, times, {})
    assert bare.against is None
    assert ours.against is not None
    assert ours.against.ratio is not None
    assert (ours.against.other, ours.against.goal) == (BARE, 1.5)
    assert (ours.against.ratio.lowest, ours.against.ratio.highest) == (1.2, 1.4)
    assert bare.p50_us is not None
    assert (bare.p50_us.lowest, bare.p50_us.highest) == (100.0, 200.0)


def test_nothing_is_claimed_against_a_peer_that_is_absent():
    ours, curve = plane_figures(2, {OURS_ENCRYPTED: [[100.0]]}, {CURVE: "it is not here"})
    assert ours.against is not None
    assert ours.against.ratio is None
    assert (curve.remark, curve.p50_us) == ("it is not here", None)


def test_a_peer_that_is_not_installed_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "zmq", None)
    for open_plane in (zeromq.plain, zeromq.curve):
        with pytest.raises(MissingExtraError, match=r"kapellmeister\[bench\]"):
            open_plane(2, ProcessGroup())


@pytest.mark.parametrize("name", PLANES)
def test_every_plane_brings_all_blocks_back(name):
    needs = {"ZeroMQ PAIR": "zmq", CURVE: "zmq", OURS_ENCRYPTED: "cryptography"}
    if name in needs:
        pytest.importorskip(needs[name], reason=f"{needs[name]} is not installed (extra: bench)")
    group = ProcessGroup()
    try:
        plane = PLANES[name](3, group)
        assert returns_all(plane)
        plane.close()
    finally:
        group.stop_all()


def test_the_report_says_of_each_plane_what_was_measured_or_why_not():
    planes = {name: PLANES[name] for name in (BARE, OURS)} | {"silence": Deaf}
    report = bench_cluster(windows=2, rounds=3, planes=planes)
    console = Console(record=True, width=200)
    print_report(report, console)
    text = console.export_text()
    assert text.count("not measured: what comes back differs from what was sent") == 2
    assert [each.workers for each in report.planes] == [2, 2, 2, 4, 4, 4]
    assert ClusterReport.model_validate_json(report.model_dump_json()) == report

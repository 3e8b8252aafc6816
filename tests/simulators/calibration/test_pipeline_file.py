"""Pipelines that someone else describes."""

from __future__ import annotations

import pytest

from controller.errors import PipelineFileError
from policies.knobs import SchedulingClass
from policies.latency import Calibration, Compute, Knot, Link, NodeTable, Post, Transfer
from simulators.calibration.pipeline_file import (
    BUILT_IN,
    find_calibration,
    read_calibration,
    write_calibration,
)


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(),
        Calibration(transfer=Transfer(), post=Post(), link=Link("tree"), source='a "quoted" one'),
        Calibration(transfer=Transfer(state_bytes=17_500, memory_bytes=1 << 30)),
        Calibration(knots=(Knot(10, Compute()), Knot(50, Compute(fixed_ms=0.3, correlation=0.5)))),
        Calibration(period_ms=10.0, contended_share=0.1, valid_streams=(3, 90)),
        Calibration(
            node_tables=(NodeTable(16, (10, 90), (0.0, 0.5), (0.1, 0.9)),),
            scheduling=SchedulingClass.REALTIME,
        ),
    ],
)
def test_what_is_written_is_read_back_as_the_same(calibration, tmp_path):
    path = tmp_path / "pipeline.toml"
    write_calibration(calibration, path)
    assert read_calibration(path) == calibration


NODES = (
    "[[node_tables]]\nbatch_size = 8\nstreams = [{}]\nmiss_rates = [{}]\nutilisation = [0.1, 0.2]"
)


def described(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return read_calibration(path)


def test_a_few_lines_describe_a_pipeline(tmp_path):
    read = described(
        tmp_path,
        """
        period_ms = 10.0
        [compute]
        fixed_ms = 1.0
        [compute.residuals]
        quiet_variation = 0.3
        contended = [1.0, 2.0, 9.0]
        [link]
        topology = "mesh"
        """,
    )
    assert (read.period_ms, read.compute.fixed_ms, read.compute.per_stream_ms) == (10.0, 1.0, 0.02)
    assert len(read.compute.residuals.quiet) == 1024
    assert read.compute.residuals.contended == (1.0, 2.0, 9.0)
    assert read.link.sharers(9) == 1
    assert read.transfer is read.post is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("perod_ms = 1", "perod_ms: no such key; known are period_ms"),
        ("[compute]\nfixed = 1", "compute.fixed: no such key"),
        ("period_ms = 0", "period_ms: 0.0 is not between"),
        ("period_ms = nan", "period_ms: nan"),
        (NODES.format("9, 3", "0.0, 0.1"), "node_tables: the streams of a table do not ascend"),
        (NODES.format("3, 9", "0.0"), "node_tables: a table is empty, or its columns differ"),
        (
            NODES.format("3, 9", "0.0, 1.1"),
            "node_tables: a miss rate or utilisation is more than 1",
        ),
        (NODES.format("3, 9", "0.0, nan"), "nan is not a number"),
        ("period_ms = 'long'", "period_ms"),
        ("[compute]\nper_stream_ms = -1", "compute.per_stream_ms"),
        ("[compute.residuals]\nquiet = []", "compute.residuals.quiet"),
        ("[compute.residuals]\nquiet_variation = -1", "is not a number from 0 to 10"),
        ("[post]\nthreads = 0", "post.threads"),
        ("[link]\ntopology = 'ring'", "link.topology"),
        ("[link]\nlatency_ms = nan", "link.latency_ms: nan"),
        ("[transfer]\noverhead_ms = inf", "transfer.overhead_ms: inf"),
        ("[compute]\nfixed_ms = 1e9", "compute.fixed_ms: 1000000000.0 is not a number from 0 to"),
        ("[compute]\ncorrelation = 7", "compute.correlation: 7 is more than 1"),
        ("[compute.residuals]\nquiet = [1.0, inf]", "compute.residuals.quiet: inf"),
        ("[compute.lateness_ms]\nquiet = [-5]", "compute.lateness_ms.quiet: -5"),
        ("[post.lateness_ms.normal]\nquiet = []", "post.lateness_ms.normal.quiet: is empty"),
        ("contended_share = 0.5\ncontended_mean_s = 0", "contended_mean_s: 0.* makes no sense"),
        ("[[knots]]\nstreams = 9\n[[knots]]\nstreams = 5", "knots"),
        ("[transfer", "not TOML"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused_in_one_line(tmp_path, text, says):
    with pytest.raises(PipelineFileError, match=says) as caught:
        described(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_name_that_is_no_file_names_what_is_built_in():
    assert find_calibration("full") == BUILT_IN["full"]
    with pytest.raises(PipelineFileError, match="built in are batch, full"):
        find_calibration("fulll")

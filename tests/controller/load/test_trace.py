"""Load traces."""

from pathlib import Path

import pytest

from controller.errors import TraceError
from controller.load.csv_trace import read_trace
from controller.load.trace import constant, evening


def trace_of(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_value_holds_until_the_next_sample(tmp_path: Path) -> None:
    trace = read_trace(trace_of(tmp_path, "epoch_s,value\n100,4\n110,8\n120,2\n"))
    assert [trace.at(t) for t in (0.0, 9.9, 10.0, 19.9)] == [4.0, 4.0, 8.0, 8.0]


def test_an_ended_trace_starts_over(tmp_path: Path) -> None:
    trace = read_trace(trace_of(tmp_path, "0,4\n10,8\n20,2\n"))
    assert trace.at(25.0) == 4.0


def test_an_empty_field_is_a_gap_and_not_zero(tmp_path: Path) -> None:
    trace = read_trace(trace_of(tmp_path, "0,4\n10,\n20,2\n"))
    assert trace.at(15.0) is None


def test_times_may_be_iso_8601_with_any_interval(tmp_path: Path) -> None:
    text = "when,streams\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:30Z,2\n2026-01-01T00:05:00Z,3\n"
    assert read_trace(trace_of(tmp_path, text)).time_s == (0.0, 30.0, 300.0)


def test_scaling_sets_the_peak_and_the_playing_time(tmp_path: Path) -> None:
    trace = read_trace(trace_of(tmp_path, "0,5\n50,10\n100,\n")).scaled(40, 10.0)
    assert (trace.time_s, trace.streams) == ((0.0, 5.0, 10.0), (20.0, 40.0, None))


def test_the_built_in_evening_peaks_where_it_is_told(tmp_path: Path) -> None:
    trace = evening(48, 60.0)
    assert trace.peak == pytest.approx(48.0)
    assert trace.duration_s < 60.0


def test_a_constant_load_never_changes() -> None:
    assert {constant(7).at(t) for t in (0.0, 1.0, 1e6)} == {7.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0,4\n10,many\n", "line 2: 'many' is not a number of streams"),
        ("0,4\nsoon,5\n", "line 2: 'soon' is not a time"),
        ("0,4\n10,-1\n", "line 2: -1 streams are fewer than none"),
        ("0,4\n10,nan\n", "line 2: 'nan' is not a number of streams"),
        ("0,4\n0,5\n", "line 2: time '0' does not ascend"),
        ("0\n10\n", "line 1: one column"),
        ("", "holds no load at all"),
        ("time,streams\n", "holds no load at all"),
    ],
)
def test_a_trace_that_makes_no_sense_is_refused_with_its_line(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(TraceError, match=says):
        read_trace(trace_of(tmp_path, text))


def test_a_trace_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"absent\.csv: No such file"):
        read_trace(tmp_path / "absent.csv")


def test_a_spike_between_two_looks_is_seen(tmp_path: Path) -> None:
    trace = read_trace(trace_of(tmp_path, "0,1\n1,30\n2,2\n10,1\n"))
    assert trace.highest(0.5, 2.5) == 30.0
    assert trace.highest(2.5, 3.5) == 2.0


def test_a_look_across_the_end_of_a_trace_sees_both_sides(tmp_path: Path) -> None:
    trace = read_trace(trace_of(tmp_path, "0,7\n1,1\n9,20\n10,1\n"))
    assert trace.highest(8.5, 10.5) == 20.0


def test_a_mark_of_the_encoding_and_exponents_are_no_header(tmp_path: Path) -> None:
    assert read_trace(trace_of(tmp_path, "\ufeff0,4\n1e1,8\n")).time_s == (0.0, 10.0)

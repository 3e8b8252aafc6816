"""Every kind of experiment on an emulated device: the rows that it promises, and what they mean."""

from __future__ import annotations

import pytest

from controller.executors.gpu.devices.emulated import EmulatedDevice
from kapellmeister.bench.hardware.experiment import NEEDS_CUDA
from kapellmeister.bench.hardware.experiments.mixing import bytes_of_mix
from kapellmeister.bench.hardware.figures import Row
from kapellmeister.bench.hardware.plan import experiments
from kapellmeister.bench.hardware.rig import FULL, SMALL, Rig, Scale

pytestmark = pytest.mark.slow

TINY = Scale((8, 16), few=8, taps=512, arena_bytes=16 << 20, surge=16)
RIG = Rig("emulated", EmulatedDevice(), TINY)
PARTS = {each.part: each for each in experiments(TINY)}


def rows_of(part: str, seconds: float = 0.1) -> dict[str, Row]:
    """Rows by name; of those whose part is there several times, the last."""
    return {row.name: row for row in PARTS[part].run(RIG, seconds)}


def measured(row: Row) -> float:
    assert row.measured is not None, f"{row.name}: {row.why_not}"
    return row.measured.median


@pytest.mark.parametrize(
    "part", sorted(set(PARTS) - {"surge", "float64", "allocations", "defragmentation"})
)
def test_a_row_is_measured_or_says_why_it_cannot_be_here(part: str) -> None:
    rows = list(PARTS[part].run(RIG, 0.06))
    assert [row.name for row in rows if row.measured is None and ":" in row.why_not] == []
    assert {row.name for row in rows} == {planned.name for planned in PARTS[part].rows}
    absent = {row.why_not for row in rows if row.measured is None}
    reasons = (NEEDS_CUDA, "processes on all cores need", "it is not, up to", "its components")
    assert all(why.startswith(reasons) for why in absent)


def test_every_workload_is_as_exact_as_it_must_be() -> None:
    rows = rows_of("float64")
    assert len(rows) == 5
    assert {row.goal.rpartition(": ")[2] for row in rows.values()} == {"met"}


def test_the_arena_is_shared_out_without_a_rest() -> None:
    held = {name: measured(row) for name, row in rows_of("arena by owner").items()}
    assert sum(held.values()) == 16.0
    assert held["audio"] > 0.0
    assert held["cache"] > 0.0
    assert held["visualisation"] == 0.0


def test_the_arena_plays_the_trace_and_refuses_nothing() -> None:
    rows = rows_of("allocations", 1.0)
    assert measured(rows["the arena: allocations refused"]) == 0.0
    assert 0.0 < measured(rows["the arena: p50"]) <= measured(rows["the arena: p999"])
    assert rows["CuPy's pool under a limit: p999"].why_not == NEEDS_CUDA


def test_states_are_moved_while_sound_plays() -> None:
    rig = Rig("emulated", EmulatedDevice(), SMALL)
    rows = {row.name: row for row in PARTS["defragmentation"].run(rig, 0.6)}
    assert measured(rows["moved in all"]) > 0.0
    assert measured(rows["a pass, p99"]) > 0.0
    assert measured(rows["a block of spectrogram, without"]) > 0.0


def test_bytes_of_a_mix_are_those_that_no_mix_can_do_without() -> None:
    past = 4096 * 9 * 257 * 8
    assert bytes_of_mix("HRTF", FULL) == past + 64 * 2 * 8 * 257 * 8
    assert bytes_of_mix("HRTF, own responses", FULL) == past + 4096 * 2 * 8 * 257 * 8

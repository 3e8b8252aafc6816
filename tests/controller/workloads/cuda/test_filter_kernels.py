import numpy as np
import pytest
import scipy.signal
from state_arena import StateArena, error, filters, for_rows, poisoned

from controller.workloads.backends import numpy_backend
from controller.workloads.cuda.kernels import BIQUAD_BANK, BOTH_EARS, SUM_PARTIALS, SUM_STREAMS
from controller.workloads.filters import BiquadCascade, equalisers
from controller.workloads.workload import WorkloadSettings

random = np.random.default_rng(0)


def bank(cascades, rows):
    arena = StateArena(filters(cascades.shape[1]), rows)
    for row in arena.used:
        arena[row]["coefficients"] = cascades[row]
    return arena


def filtered(play, arena, blocks, rows_per_chunk):
    rows, period = blocks.shape
    chunks, sections = -(-rows // rows_per_chunk), len(arena[arena.used[0]]["state"])
    partial, mono, bus = poisoned(chunks, period), poisoned(period), poisoned(2, period)
    play(
        BIQUAD_BANK, arena.bytes, arena.rows, blocks, partial, rows, period, sections,
        rows_per_chunk,
    )  # fmt: skip
    play(SUM_PARTIALS, partial, mono, chunks, period)
    play(BOTH_EARS, mono, bus, period)
    return bus


@pytest.mark.parametrize(
    ("rows", "period", "rows_per_chunk"), [(8, 256, 32), (70, 48, 32), (70, 33, 40), (70, 256, 5)]
)
def test_biquads_filter_as_a_cascade_in_double_precision(play, rows, period, rows_per_chunk):
    cascades = equalisers(rows, 48_000)
    arena = bank(cascades, rows)
    outside = arena.outside()
    sound = random.uniform(-1, 1, (len(arena.used), 4 * period)).astype(np.float32)
    blocks = np.split(sound, 4, axis=1)
    heard = [filtered(play, arena, for_rows(arena, block), rows_per_chunk) for block in blocks]
    expected = sum(
        scipy.signal.sosfilt(np.insert(cascades[row], 3, 1.0, axis=1), one.astype(np.float64))
        for row, one in zip(arena.used, sound, strict=True)
    )
    assert error(np.concatenate(heard, axis=1), np.stack((expected, expected))) < 1e-6
    np.testing.assert_array_equal(arena.outside(), outside)


def test_biquads_sound_and_remember_as_those_on_cpus(play):
    arena = bank(equalisers(20, 48_000), 20)
    on_cpus = BiquadCascade(WorkloadSettings(48_000, 256, 20), numpy_backend())
    for _ in range(5):
        blocks = random.uniform(-1, 1, (len(arena.used), 256)).astype(np.float32)
        expected = on_cpus.process(blocks, arena.used.astype(np.intp))
        assert error(filtered(play, arena, for_rows(arena, blocks), 32), expected) < 1e-6
    for row in arena.used:
        np.testing.assert_allclose(arena[row]["state"], on_cpus._state[row], rtol=0, atol=1e-12)


def test_filters_that_have_rung_out_rest_at_zero(play):
    arena, partial = bank(equalisers(4, 48_000), 4), poisoned(1, 256)
    silence = np.zeros((4, 256), dtype=np.float32)
    for row in arena.used:
        arena[row]["state"] = 1e-28
    for _ in range(15):
        play(BIQUAD_BANK, arena.bytes, arena.rows, silence, partial, 4, 256, 4, 32)
    assert not any(arena[row]["state"].any() for row in arena.used)
    assert not partial.any()


@pytest.mark.parametrize(("rows", "period", "rows_per_chunk"), [(70, 256, 32), (7, 100, 3)])
def test_streams_are_summed_over_the_rows_that_are_used(play, rows, period, rows_per_chunk):
    arena = StateArena(filters(1), rows)
    blocks = random.uniform(-1, 1, (len(arena.used), period)).astype(np.float32)
    chunks = -(-rows // rows_per_chunk)
    partial, mono = poisoned(chunks, period), poisoned(period)
    play(SUM_STREAMS, arena.rows, for_rows(arena, blocks), partial, rows, period, rows_per_chunk)
    play(SUM_PARTIALS, partial, mono, chunks, period)
    assert error(mono, blocks.astype(np.float64).sum(axis=0)) < 1e-6


def test_many_chunks_are_summed_as_exactly_as_single_precision_allows(play):
    partial, total = random.uniform(-1, 1, (1100, 75)).astype(np.float32), poisoned(75)
    play(SUM_PARTIALS, partial, total, 1100, 75)
    assert error(total, partial.astype(np.float64).sum(axis=0)) < 1e-6


def test_rows_beyond_those_asked_for_are_neither_heard_nor_touched(play):
    arena, partial = bank(equalisers(8, 48_000), 8), poisoned(3, 64)
    blocks = np.ones((8, 64), dtype=np.float32)
    play(BIQUAD_BANK, arena.bytes, arena.rows, blocks, partial, 5, 64, 4, 4)
    assert np.isfinite(partial[:2]).all()
    assert np.isnan(partial[2]).all()
    touched = [bool(arena[row]["state"].any()) for row in arena.used]
    assert dict(zip(arena.used.tolist(), touched, strict=True)) == {
        0: True, 1: True, 2: True, 4: True, 5: False, 6: False
    }  # fmt: skip
    play(SUM_STREAMS, arena.rows, blocks, partial, 5, 64, 4)
    assert partial[:2, 0].tolist() == [3.0, 1.0]
    assert np.isnan(partial[2]).all()

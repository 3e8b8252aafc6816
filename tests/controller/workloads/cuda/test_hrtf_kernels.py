import numpy as np
import pytest
import scipy.fft
import scipy.signal
from state_arena import StateArena, error, for_rows, hrtf, poisoned

from controller.workloads.backends import numpy_backend
from controller.workloads.cuda.kernels import (
    MIX_SPECTRA,
    OVERLAP_FRAMES,
    OVERLAP_TAIL,
    SUM_PARTIALS,
)
from controller.workloads.cuda.layout import response_bytes
from controller.workloads.cuda.responses import response_spectra
from controller.workloads.hrir import HrirSet
from controller.workloads.hrtf import HrtfRenderer
from controller.workloads.workload import WorkloadSettings

ROWS, ROWS_PER_CHUNK, BLOCKS = 24, 5, 7
random = np.random.default_rng(0)


class Renderer:
    """The kernels of one batch of HRTF, block after block."""

    def __init__(self, play, period, responses):
        self.play, self.period = play, period
        spectra = response_spectra(responses, period)
        self.partitions = spectra.shape[1]
        arena = StateArena(hrtf(period, self.partitions), ROWS, spare_bytes=spectra.nbytes)
        arena.bytes[arena.spare_at :][: spectra.nbytes] = spectra.reshape(-1).view(np.uint8)
        self.arena = arena
        stride = response_bytes(period, self.partitions)
        self.responses = arena.spare_at + np.arange(ROWS) % len(responses) * stride

    def render(self, step, blocks):
        arena, period, bins = self.arena, self.period, self.period + 1
        chunks = -(-ROWS // ROWS_PER_CHUNK)
        frames, bus = poisoned(ROWS, 2 * period), poisoned(2, period)
        partial, mixed = (poisoned(*shape, dtype=np.complex64) for shape in
                          ((chunks, 2, bins), (2, bins)))  # fmt: skip
        self.play(OVERLAP_FRAMES, arena.bytes, arena.rows, blocks, frames, ROWS, period)
        spectra = for_rows(arena, scipy.fft.rfft(frames)[arena.used])
        self.play(
            MIX_SPECTRA, arena.bytes, arena.rows, self.responses, np.array([step]), spectra,
            partial, ROWS, bins, self.partitions, ROWS_PER_CHUNK,
        )  # fmt: skip
        self.play(SUM_PARTIALS, partial.view(np.float32), mixed.view(np.float32), chunks, 4 * bins)
        unnormalised = scipy.fft.irfft(mixed, norm="forward")
        self.play(OVERLAP_TAIL, unnormalised, bus, period)
        assert np.isfinite(frames).all()
        return bus


@pytest.mark.parametrize(("period", "taps"), [(64, 64), (64, 200), (48, 512), (256, 2048)])
def test_kernels_of_hrtf_convolve_as_a_direct_sum_in_double_precision(play, period, taps):
    responses = random.standard_normal((5, 2, taps)).astype(np.float32)
    renderer = Renderer(play, period, responses)
    used = renderer.arena.used
    sound = random.uniform(-1, 1, (len(used), BLOCKS * period)).astype(np.float32)
    outside = renderer.arena.outside()
    heard = [
        renderer.render(10_000_000_003 + block, for_rows(renderer.arena, cut))
        for block, cut in enumerate(np.split(sound, BLOCKS, axis=1))
    ]
    of_rows = responses[np.arange(ROWS)[used] % 5].astype(np.float64)
    expected = scipy.signal.fftconvolve(sound[:, None].astype(np.float64), of_rows, axes=-1)
    assert error(np.concatenate(heard, axis=1), expected.sum(axis=0)[:, : sound.shape[1]]) < 1e-5
    np.testing.assert_array_equal(renderer.arena.outside(), outside)


def test_kernels_of_hrtf_sound_as_the_renderer_on_cpus(play):
    responses = random.standard_normal((3, 2, 200)).astype(np.float32)
    renderer = Renderer(play, 64, responses)
    used = renderer.arena.used
    hrirs = HrirSet("noise", 48_000, np.zeros(3), np.zeros(3), responses)
    settings = WorkloadSettings(48_000, 64, ROWS, 200, hrirs, np.arange(ROWS) % 3)
    on_cpus = HrtfRenderer(settings, numpy_backend())
    for step in range(BLOCKS):
        blocks = random.uniform(-1, 1, (len(used), 64)).astype(np.float32)
        expected = on_cpus.process(blocks, used.astype(np.intp))
        assert error(renderer.render(step, for_rows(renderer.arena, blocks)), expected) < 1e-5


def test_a_batch_without_streams_is_silent(play):
    renderer = Renderer(play, 64, random.standard_normal((1, 2, 64)).astype(np.float32))
    renderer.arena.rows[:] = -1
    assert not renderer.render(1, poisoned(ROWS, 64)).any()

"""Binaural rendering: each stream is heard from its direction, all mixed to two ears."""

from __future__ import annotations

import numpy as np
from scipy import fft

from controller.workloads.arrays import FloatArray, IntArray
from controller.workloads.backend import LANES, Backend, tiled
from controller.workloads.hrir import HrirSet, spherical_head
from controller.workloads.workload import WorkloadSettings, blocks_spanning


class HrtfRenderer:
    """Convolution with head-related impulse responses, fast enough for hundreds of streams.

    Uniformly partitioned overlap-save with a frequency-domain delay line (Wefers 2015, "Partitioned
    convolution algorithms for real-time auralization", section 5.2): a partition is one period.
    The streams are summed as spectra, so that a call needs two inverse transforms in all.
    """

    def __init__(self, settings: WorkloadSettings, backend: Backend) -> None:
        xp = backend.xp
        hrirs = settings.hrirs or spherical_head(settings.sample_rate_hz, settings.taps)
        period, slots = settings.period_frames, settings.slots
        used, filter_of_slot = np.unique(_directions(settings, hrirs), return_inverse=True)
        responses = hrirs.resized(settings.taps).impulse_responses[used]
        self.memory_blocks = blocks_spanning(settings.taps - 1, period)
        self._backend = backend
        self._period = period
        spectra = partitioned_spectra(responses, period)
        self._filters = backend.zeros(spectra.shape, xp.float32)
        self._filters[...] = xp.asarray(spectra)
        self._filter_of_slot = xp.asarray(filter_of_slot.astype(np.intp))
        self._delay_line = backend.zeros((slots, *spectra.shape[1:3], 2, LANES), xp.float32)
        self._newest = xp.zeros(slots, dtype=xp.intp)
        self._previous = backend.zeros((slots, period), xp.float32)
        self._frames = backend.zeros((slots, 2 * period), xp.float32)

    def reset(self, slots: IntArray) -> None:
        """Silence the past of `slots`."""
        self._delay_line[slots] = 0.0
        self._previous[slots] = 0.0

    def process(self, blocks: FloatArray, slots: IntArray) -> FloatArray:
        """Render one block of these streams to the two ears; see `Workload.process`."""
        frames = self._frames[: len(slots)]
        frames[:, : self._period] = self._previous[slots]
        frames[:, self._period :] = blocks
        self._previous[slots] = blocks
        bus = self._backend.mix_spectra(
            self._backend.rfft(frames),
            slots,
            self._delay_line,
            self._newest,
            self._filters,
            self._filter_of_slot,
        )
        rendered: FloatArray = self._backend.irfft(bus, n=2 * self._period)[:, self._period :]
        return rendered


def partitioned_spectra(responses: FloatArray, period_frames: int) -> FloatArray:
    """Cut impulse responses into periods and transform each, zero-padded to two periods.

    `responses`: (f, 2, taps). Returns tiles (f, partitions, tiles, 2 ears, 2, 16) float32.
    """
    filters, ears, taps = responses.shape
    partitions = blocks_spanning(taps, period_frames)
    padded = np.zeros((filters, ears, partitions * period_frames), dtype=np.float32)
    padded[..., :taps] = responses
    cut = padded.reshape(filters, ears, partitions, period_frames)
    ear_by_ear = tiled(fft.rfft(cut, n=2 * period_frames))
    return np.ascontiguousarray(ear_by_ear.transpose(0, 2, 3, 1, 4, 5))


def _directions(settings: WorkloadSettings, hrirs: HrirSet) -> IntArray:
    if settings.directions is not None:
        return settings.directions
    return hrirs.spread(settings.slots)

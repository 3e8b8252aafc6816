"""Where things lie in a stream's state, in bytes from its start; kernels hold the same numbers."""

from __future__ import annotations

from typing import Final

from controller.workloads.short_time_spectrum import BINS, WINDOW_FRAMES
from controller.workloads.spectrogram import COLUMNS as SPECTROGRAM_COLUMNS
from controller.workloads.visualisation import COLUMNS as PICTURE_COLUMNS
from controller.workloads.visualisation import SPECTROGRAM_ROWS as BANDS

ALIGNMENT_BYTES: Final = 256
"""Bytes that states, responses and buffers begin at a multiple of."""

UNUSED: Final = -1
"""Offset that stands in the table of a batch for a row without a stream."""

FLOAT_BYTES: Final = 4
DOUBLE_BYTES: Final = 8
COMPLEX_BYTES: Final = 8

PAST_BYTES: Final = WINDOW_FRAMES * FLOAT_BYTES
"""Bytes of the last 1024 samples, with which every state of a spectrum begins."""

MEASURES: Final = BINS + 3
"""Floats that spectral analysis keeps: 513 magnitudes, level, centroid and peak."""

FFT_STATE_BYTES: Final = PAST_BYTES + MEASURES * FLOAT_BYTES
"""Bytes of a stream's spectral analysis: past, magnitudes (513), level, centroid, peak."""

SPECTROGRAM_STATE_BYTES: Final = PAST_BYTES + SPECTROGRAM_COLUMNS * BINS * FLOAT_BYTES
"""Bytes of a stream's spectrogram: past, columns (128, 513) float32."""

EXTREMES_BYTES: Final = PICTURE_COLUMNS * 2 * FLOAT_BYTES
"""Bytes of the extremes (480, 2) float32 of a picture, which follow the past."""

LEVELS_AT: Final = PAST_BYTES + EXTREMES_BYTES
"""Offset in bytes of the levels (480, 160) uint8 in the state of a picture."""

VISUALISATION_STATE_BYTES: Final = LEVELS_AT + PICTURE_COLUMNS * BANDS
"""Bytes of a stream's picture: past, extremes, levels."""


def aligned(size_bytes: int) -> int:
    """The next multiple of 256 bytes."""
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def delay_line_at(period_frames: int) -> int:
    """Offset in bytes of the delay line, complex64 (partitions, bins), in the state of HRTF."""
    return aligned(period_frames * FLOAT_BYTES)


def hrtf_state_bytes(period_frames: int, partitions: int) -> int:
    """Bytes of a stream's HRTF state: the previous block, then the delay line."""
    return delay_line_at(period_frames) + partitions * (period_frames + 1) * COMPLEX_BYTES


def response_bytes(period_frames: int, partitions: int) -> int:
    """Bytes of one response's spectra, complex64 (partitions, 2 ears, bins)."""
    return 2 * partitions * (period_frames + 1) * COMPLEX_BYTES


def filters_state_bytes(sections: int) -> int:
    """Bytes of a stream's filters: coefficients (sections, 5), then state (sections, 2) float64."""
    return sections * 7 * DOUBLE_BYTES

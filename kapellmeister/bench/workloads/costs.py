"""Processor time of each workload, as a share of the period."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from controller.workloads.arrays import FloatArray
from controller.workloads.backends import numpy_backend
from controller.workloads.fft import SpectralAnalysis
from controller.workloads.filters import BiquadCascade
from controller.workloads.hrtf import HrtfRenderer
from controller.workloads.spectrogram import Spectrogram
from controller.workloads.visualisation import Visualisation
from controller.workloads.workload import Workload, WorkloadSettings
from kapellmeister.bench.spread import Spread
from kapellmeister.bench.workloads.figures import CostFigures
from kapellmeister.bench.workloads.inputs import (
    PERIOD_FRAMES,
    SAMPLE_RATE_HZ,
    inputs_of,
    reverberant_room,
)
from kapellmeister.bench.workloads.timing import call_us, interleaved

PERIOD_US = 1e6 * PERIOD_FRAMES / SAMPLE_RATE_HZ
MANY_STREAMS = 256
TAPS = (512, 2048)


def cost_of_each(rounds: int, slice_s: float) -> list[CostFigures]:
    """Figures of every workload on 256 streams."""
    blocks = inputs_of(MANY_STREAMS)[:64]
    workloads = dict(_workloads())
    turns = [partial(_process_us, each, blocks, slice_s) for each in workloads.values()]
    return [
        CostFigures(
            workload=name,
            streams=MANY_STREAMS,
            block_us=Spread.of(times_us),
            period_share=Spread.of([time_us / PERIOD_US for time_us in times_us]),
        )
        for name, times_us in zip(workloads, interleaved(turns, rounds), strict=True)
    ]


def _workloads() -> Iterator[tuple[str, Workload]]:
    backend = numpy_backend()
    for taps in TAPS:
        hrirs = reverberant_room(MANY_STREAMS, taps)
        settings = WorkloadSettings(
            SAMPLE_RATE_HZ, PERIOD_FRAMES, MANY_STREAMS, taps, hrirs, np.arange(MANY_STREAMS)
        )
        yield f"HRTF, {taps} taps", HrtfRenderer(settings, backend)
    settings = WorkloadSettings(SAMPLE_RATE_HZ, PERIOD_FRAMES, MANY_STREAMS)
    yield "four biquads", BiquadCascade(settings, backend)
    yield "spectral analysis", SpectralAnalysis(settings, backend)
    yield "spectrogram", Spectrogram(settings, backend)
    yield "visualisation", Visualisation(settings, backend)


def _process_us(workload: Workload, blocks: FloatArray, slice_s: float) -> float:
    slots = np.arange(blocks.shape[1], dtype=np.intp)
    return call_us(lambda index: workload.process(blocks[index % len(blocks)], slots), slice_s)

"""How others would render many streams to two ears: each peer at its best setting."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy import signal

from controller.workloads.arrays import FloatArray
from controller.workloads.backends import numpy_backend
from controller.workloads.hrir import HrirSet
from controller.workloads.hrtf import HrtfRenderer
from controller.workloads.workload import WorkloadSettings


class Renderer(Protocol):
    """Renders the same streams again and again: `blocks_per_call` blocks of stereo at each call."""

    name: str
    blocks_per_call: int

    def render(self, index: int) -> FloatArray:
        """The next stereo blocks, (2, blocks_per_call * period); `index` counts the calls."""
        ...


class Kapellmeister:
    """Our own renderer, as a worker calls it."""

    name = "kapellmeister"
    blocks_per_call = 1

    def __init__(self, inputs: FloatArray, hrirs: HrirSet) -> None:
        _, streams, period = inputs.shape
        taps, directions = hrirs.impulse_responses.shape[-1], np.arange(streams, dtype=np.intp)
        settings = WorkloadSettings(hrirs.sample_rate_hz, period, streams, taps, hrirs, directions)
        self._inputs, self._slots = inputs, directions
        self._renderer = HrtfRenderer(settings, numpy_backend())

    def render(self, index: int) -> FloatArray:
        """The sound of one call of `HrtfRenderer.process`."""
        return self._renderer.process(self._inputs[index % len(self._inputs)], self._slots)


class FftconvolvePerStream:
    """scipy's FFT convolution, a call per stream and block; the tails are added once for all."""

    name = "scipy fftconvolve, per stream and block"
    blocks_per_call = 1

    def __init__(self, inputs: FloatArray, hrirs: HrirSet) -> None:
        self._inputs, self._responses = inputs, hrirs.impulse_responses
        self._period = inputs.shape[2]
        tail = self._responses.shape[-1] - 1
        self._overlap = np.zeros((2, self._period + tail), dtype=np.float32)

    def render(self, index: int) -> FloatArray:
        """Overlap-add of full convolutions."""
        self._overlap[:, : -self._period] = self._overlap[:, self._period :]
        self._overlap[:, -self._period :] = 0.0
        self._convolve(self._inputs[index % len(self._inputs)])
        return self._overlap[:, : self._period].copy()

    def _convolve(self, blocks: FloatArray) -> None:
        for block, response in zip(blocks, self._responses, strict=True):
            self._overlap += signal.fftconvolve(block[None], response, axes=1)


class FftconvolveBatched(FftconvolvePerStream):
    """All streams in one call: what a careful user of scipy would do."""

    name = "scipy fftconvolve, all streams in one call a block"

    def _convolve(self, blocks: FloatArray) -> None:
        self._overlap += signal.fftconvolve(blocks[:, None], self._responses, axes=2).sum(axis=0)


class WholeSignal:
    """A call per stream over the whole signal: no real time, so no latency to keep either."""

    def __init__(self, convolution: str, inputs: FloatArray, hrirs: HrirSet) -> None:
        self.name = f"scipy {convolution}, per stream, whole signal (offline)"
        self.blocks_per_call = len(inputs)
        self._convolve: Any = getattr(signal, convolution)
        self._signals = np.ascontiguousarray(inputs.swapaxes(0, 1)).reshape(inputs.shape[1], -1)
        self._responses = hrirs.impulse_responses

    def render(self, index: int) -> FloatArray:  # noqa: ARG002 - each call renders everything
        """The beginning of the full convolutions, summed."""
        frames = self._signals.shape[1]
        bus = np.zeros((2, frames), dtype=np.float32)
        for stream, response in zip(self._signals, self._responses, strict=True):
            bus += self._convolve(stream[None], response, axes=1)[:, :frames]
        return bus


class PedalboardPerStream:
    """Pedalboard's stereo convolution, one per stream, of blocks of one period.

    It scales responses to a level of its own, which is undone in the input, outside the timing.
    Raises ImportError where pedalboard is not installed.
    """

    name = "pedalboard Convolution, per stream and block"
    blocks_per_call = 1

    def __init__(self, inputs: FloatArray, hrirs: HrirSet) -> None:
        import pedalboard

        self._rate, self._period = hrirs.sample_rate_hz, inputs.shape[2]
        self._convolutions = [
            pedalboard.Convolution(response, 1.0, sample_rate=hrirs.sample_rate_hz)
            for response in hrirs.impulse_responses
        ]
        gains = [
            self._gain(convolution, response)
            for convolution, response in zip(
                self._convolutions, hrirs.impulse_responses, strict=True
            )
        ]
        scaled = inputs / np.array(gains, dtype=np.float32)[:, None]
        self._inputs = np.ascontiguousarray(np.repeat(scaled[:, :, None], 2, axis=2))

    def render(self, index: int) -> FloatArray:
        """Each stream through its own convolution, summed."""
        bus = np.zeros((2, self._period), dtype=np.float32)
        blocks = self._inputs[index % len(self._inputs)]
        for convolution, block in zip(self._convolutions, blocks, strict=True):
            bus += convolution.process(block, self._rate, self._period, reset=False)
        return bus

    def _gain(self, convolution: Any, response: FloatArray) -> float:
        """The output for an impulse, relative to the response that was asked for."""
        impulse = np.zeros((2, self._period), dtype=np.float32)
        impulse[:, 0] = 1.0
        heard = convolution.process(impulse, self._rate, self._period, reset=True)
        wanted = response[:, : self._period]
        convolution.reset()
        return float(np.vdot(wanted, heard) / np.vdot(wanted, wanted))

"""A device on the host, in numpy: the same streams, events and graphs, and no hardware.

Streams are as lazy as a device may be: nothing happens before somebody waits for an event, and
then no more than that event asks for. A wait that was forgotten shows as wrong sound.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import fft

from controller.errors import DeviceAllocationError
from controller.executors.gpu.devices.description import DeviceDescription
from controller.executors.gpu.devices.device import Reserve, Step
from controller.executors.vram.backings.numpy import NumpyBacking
from controller.workloads.cuda.kernels import Kernel

NAME = "emulated on numpy"
MEMORY_BYTES = 1 << 29
"""Bytes of memory that the emulated device has."""


class EmulatedEvent:
    """Passes when its stream has come so far."""

    def __init__(self, stream: EmulatedStream, place: int) -> None:
        self._stream = stream
        self._place = place
        self.passed_ns: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has passed."""
        return self.passed_ns is not None

    def wait(self) -> None:
        """Have the stream work until it has."""
        self._stream.work_until(self._place)

    def ms_since(self, earlier: EmulatedEvent) -> float:
        """Milliseconds from another event, both of which have passed."""
        if self.passed_ns is None or earlier.passed_ns is None:
            raise AssertionError("an event that has not passed has no time")
        return (self.passed_ns - earlier.passed_ns) / 1e6

    def stamp(self) -> None:
        """Note the time: now it passes."""
        self.passed_ns = time.monotonic_ns()


class EmulatedGraph:
    """Steps that run one after the other."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)


class EmulatedStream:
    """A queue of calls, none made before it has to be."""

    def __init__(self, device: EmulatedDevice) -> None:
        self._device = device
        self._queue: deque[Callable[[], None]] = deque()
        self._told = 0
        self._done = 0

    def copy_in(self, offset: int, source: NDArray[np.uint8]) -> None:
        """Copy bytes into the memory of the device."""
        target = self._device.array(offset, source.shape, np.uint8)
        self._tell(partial(np.copyto, target, source))

    def copy_out(self, target: NDArray[np.uint8], offset: int) -> None:
        """Copy bytes out of the memory of the device."""
        source = self._device.array(offset, target.shape, np.uint8)
        self._tell(partial(np.copyto, target, source))

    def fill(self, offset: int, size_bytes: int, byte: int) -> None:
        """Set bytes of the device."""
        self._tell(partial(self._device.array(offset, (size_bytes,), np.uint8).fill, byte))

    def replay(self, graph: EmulatedGraph) -> None:
        """Run the steps of a graph."""
        self._tell(partial(self._device.run_closed, graph.steps))

    def record(self) -> EmulatedEvent:
        """An event after all that this stream has been told so far."""
        event = EmulatedEvent(self, self._told + 1)
        self._tell(event.stamp)
        return event

    def wait(self, event: EmulatedEvent) -> None:
        """Do nothing more until the event has passed."""
        self._tell(event.wait)

    def work_until(self, place: int) -> None:
        """Do what it was told first, up to that place in its queue."""
        while self._done < place:
            self._done += 1
            self._queue.popleft()()

    def _tell(self, work: Callable[[], None]) -> None:
        self._told += 1
        self._queue.append(work)


class EmulatedDevice:
    """A processor without hardware; see the file."""

    def __init__(self) -> None:
        self._bytes: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._is_closed_to_allocation = False

    @property
    def description(self) -> DeviceDescription:
        """One multiprocessor, with little memory of its own, all of it free until it is taken."""
        free_bytes = MEMORY_BYTES - len(self._bytes)
        return DeviceDescription(NAME, 1, None, None, MEMORY_BYTES, free_bytes)

    def reserve(self, size_bytes: int) -> NumpyBacking:
        """Allocate the memory of the device."""
        self._check_open("the memory of the device")
        backing = NumpyBacking(size_bytes)
        self._bytes = backing.bytes
        return backing

    def pinned(self, size_bytes: int) -> NDArray[np.uint8]:
        """Memory of the host."""
        self._check_open("pinned memory")
        return np.zeros(size_bytes, np.uint8)

    def stream(self) -> EmulatedStream:
        """A stream of its own."""
        return EmulatedStream(self)

    def array(self, offset: int, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """The memory from that offset on, as an array."""
        size_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self._bytes[offset : offset + size_bytes].view(dtype).reshape(shape)

    def launch(self, kernel: Kernel, *arguments: Any) -> Step:
        """The array code of a kernel."""
        return partial(kernel.on_arrays, *arguments)

    def rfft(self, source: Any, target: Any, reserve: Reserve) -> Step:
        """Spectra of real rows; they need no work area."""
        del reserve
        self._check_open("the plan of a transform")
        return partial(_rfft, source, target)

    def irfft(self, source: Any, target: Any, reserve: Reserve) -> Step:
        """Real rows of spectra, not normalised."""
        del reserve
        self._check_open("the plan of a transform")
        return partial(_irfft, source, target)

    def capture(self, steps: Sequence[Step]) -> EmulatedGraph:
        """The steps as one graph; each has run once before."""
        self.run_closed(steps)
        return EmulatedGraph(steps)

    def run_closed(self, steps: Sequence[Step]) -> None:
        """Run steps, none of which may allocate."""
        self._is_closed_to_allocation = True
        try:
            for step in steps:
                step()
        finally:
            self._is_closed_to_allocation = False

    def close(self) -> None:
        """Let go of the memory."""
        self._bytes = np.empty(0, np.uint8)

    def _check_open(self, what: str) -> None:
        if self._is_closed_to_allocation:
            raise DeviceAllocationError(what)


def _rfft(source: Any, target: Any) -> None:
    target[:] = fft.rfft(source)


def _irfft(source: Any, target: Any) -> None:
    frames = target.shape[-1]
    target[:] = fft.irfft(source, n=frames, norm="forward")

"""The contract of a device: memory addressed by offsets, streams, events and captured graphs.

What a stream is told to do happens later and in order; what two streams are told happens in any
order, unless one waits for an event of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from controller.executors.gpu.devices.description import DeviceDescription
from controller.executors.vram.backing import Backing
from controller.workloads.cuda.kernels import Kernel

Step = Callable[[], None]
"""A kernel or a transform with its arguments bound, to be captured in a graph."""
Reserve: TypeAlias = Callable[[int], int]
"""Gives so many bytes of the arena for good, by their offset: the work area of a transform."""
Graph: TypeAlias = Any
"""A sequence of steps, captured once and replayed by one call; each device has its own kind."""


class Event(Protocol):
    """The instant at which a stream has done all that it had been told before."""

    @property
    def is_done(self) -> bool:
        """Whether the instant has passed."""
        ...

    def wait(self) -> None:
        """Keep this thread waiting until it has."""
        ...

    def ms_since(self, earlier: Any) -> float:
        """Milliseconds from another event, which has passed like this one."""
        ...


class Stream(Protocol):
    """A queue of work, done in order."""

    def copy_in(self, offset: int, source: NDArray[np.uint8]) -> None:
        """Copy pinned bytes to the device. They must not change until an event recorded after."""
        ...

    def copy_out(self, target: NDArray[np.uint8], offset: int) -> None:
        """Copy bytes of the device to pinned ones."""
        ...

    def fill(self, offset: int, size_bytes: int, byte: int) -> None:
        """Set bytes of the device."""
        ...

    def replay(self, graph: Graph) -> None:
        """Run the steps of a graph. Raises DeviceAllocationError where one of them allocates."""
        ...

    def record(self) -> Event:
        """An event after all that this stream has been told so far."""
        ...

    def wait(self, event: Any) -> None:
        """Have this stream do nothing more until the event, of another stream, has passed."""
        ...


class Device(Protocol):
    """One processor with memory of its own, used by the thread that opened it.

    Its memory is one allocation, made by `reserve`; `Backing` moves bytes in it. Raises
    DeviceAllocationError for memory that is asked for while a graph is captured or replayed.
    """

    @property
    def description(self) -> DeviceDescription:
        """What it is, by its own account."""
        ...

    def reserve(self, size_bytes: int) -> Backing:
        """Allocate the memory of the device that will ever be used."""
        ...

    def pinned(self, size_bytes: int) -> NDArray[np.uint8]:
        """Host memory that copies take from at full speed."""
        ...

    def stream(self) -> Stream:
        """A stream of its own."""
        ...

    def array(self, offset: int, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """The memory from that offset on, as an array."""
        ...

    def launch(self, kernel: Kernel, *arguments: Any) -> Step:
        """A kernel with arrays and numbers in the order of its parameters."""
        ...

    def rfft(self, source: Any, target: Any, reserve: Reserve) -> Step:
        """The spectra, (n, k / 2 + 1) complex64, of real rows, (n, k) float32."""
        ...

    def irfft(self, source: Any, target: Any, reserve: Reserve) -> Step:
        """The real rows, (n, k) float32, of spectra, times k: not normalised, as cuFFT's are."""
        ...

    def capture(self, steps: Sequence[Step]) -> Graph:
        """The steps as one graph; each has run once before."""
        ...

    def close(self) -> None:
        """Let go of all memory."""
        ...

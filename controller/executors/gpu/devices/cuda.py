"""A CUDA device by CuPy; opened in the worker process alone, since CUDA does not survive a fork."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import controller.workloads.cuda as kernel_folder
from controller.errors import DeviceAllocationError, ExecutorError
from controller.executors.gpu.devices.description import DeviceDescription
from controller.executors.gpu.devices.device import Graph, Reserve, Step
from controller.executors.vram.backings.cupy import CupyBacking
from controller.workloads.cuda.kernels import Kernel

OPTIONS = ("--std=c++17",)
REAL_TO_COMPLEX, COMPLEX_TO_REAL = 0x2A, 0x2C
"""Kinds of transforms of cuFFT: CUFFT_R2C and CUFFT_C2R, of float32."""
FORWARD, INVERSE = -1, 1
HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2
TRANSFERS_A_CLOCK = 2
"""Transfers that memory makes in a clock: both edges count."""


class CudaEvent:
    """An event with a time."""

    def __init__(self, cuda: Any, stream: Any) -> None:
        self._cuda = cuda
        self.event = cuda.Event()
        self.event.record(stream)

    @property
    def is_done(self) -> bool:
        """Whether it has passed."""
        return bool(self.event.done)

    def wait(self) -> None:
        """Keep this thread waiting until it has."""
        self.event.synchronize()

    def ms_since(self, earlier: CudaEvent) -> float:
        """Milliseconds from another event, both of which have passed."""
        return float(self._cuda.get_elapsed_time(earlier.event, self.event))


class CudaStream:
    """A stream that does not wait for the default one."""

    def __init__(self, cupy: Any, pointer: Callable[[int], Any]) -> None:
        self._cuda = cupy.cuda
        self._pointer = pointer
        self.stream = cupy.cuda.Stream(non_blocking=True)

    def copy_in(self, offset: int, source: NDArray[np.uint8]) -> None:
        """Copy pinned bytes to the device."""
        self._copy(self._address(offset), source.ctypes.data, source.nbytes, HOST_TO_DEVICE)

    def copy_out(self, target: NDArray[np.uint8], offset: int) -> None:
        """Copy bytes of the device to pinned ones."""
        self._copy(target.ctypes.data, self._address(offset), target.nbytes, DEVICE_TO_HOST)

    def fill(self, offset: int, size_bytes: int, byte: int) -> None:
        """Set bytes of the device."""
        address = self._address(offset)
        self._cuda.runtime.memsetAsync(address, byte, size_bytes, self.stream.ptr)

    def replay(self, graph: Graph) -> None:
        """Launch a graph."""
        graph.launch(self.stream)

    def record(self) -> CudaEvent:
        """An event after all that this stream has been told so far."""
        return CudaEvent(self._cuda, self.stream)

    def wait(self, event: CudaEvent) -> None:
        """Do nothing more until the event has passed."""
        self.stream.wait_event(event.event)

    def _address(self, offset: int) -> int:
        return int(self._pointer(offset).ptr)

    def _copy(self, target: int, source: int, size_bytes: int, kind: int) -> None:
        self._cuda.runtime.memcpyAsync(target, source, size_bytes, kind, self.stream.ptr)


class CudaDevice:
    """The first visible device. Raises ExecutorError where its memory has been taken meanwhile."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy
        self._device = cupy.cuda.Device(0)
        self._device.use()
        self._backing: CupyBacking | None = None
        self._capturing: Any = None

    @property
    def description(self) -> DeviceDescription:
        """What it is, by its own account."""
        runtime = self._cupy.cuda.runtime
        found = runtime.getDeviceProperties(self._device.id)
        free_bytes, memory_bytes = runtime.memGetInfo()
        name = found["name"].decode()
        return DeviceDescription(
            name=name,
            multiprocessors=found["multiProcessorCount"],
            compute_capability=(found["major"], found["minor"]),
            bandwidth_bytes_per_s=self._bandwidth(runtime),
            memory_bytes=memory_bytes,
            free_bytes=free_bytes,
            slice_of=_slice(name),
        )

    def reserve(self, size_bytes: int) -> CupyBacking:
        """Allocate the memory of the device that will ever be used."""
        self._check_open("the memory of the device")
        try:
            self._backing = CupyBacking(size_bytes)
        except self._cupy.cuda.memory.OutOfMemoryError as error:
            why = f"{size_bytes:,} bytes of device memory were free and are no longer"
            raise ExecutorError("cuda", why, "end what has taken it, or lower [vram]") from error
        return self._backing

    def pinned(self, size_bytes: int) -> NDArray[np.uint8]:
        """Page-locked host memory."""
        self._check_open("pinned memory")
        memory = self._cupy.cuda.alloc_pinned_memory(size_bytes)
        return np.frombuffer(memory, np.uint8, size_bytes)

    def stream(self) -> CudaStream:
        """A stream of its own."""
        return CudaStream(self._cupy, self._pointer)

    def array(self, offset: int, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """The memory from that offset on, as an array."""
        return self._cupy.ndarray(shape, dtype, memptr=self._pointer(offset))

    def launch(self, kernel: Kernel, *arguments: Any) -> Step:
        """A kernel with arrays and numbers in the order of its parameters."""
        sizes = [each for each in arguments if isinstance(each, int)]
        shape = kernel.shape(*sizes)
        given = tuple(np.int32(each) if isinstance(each, int) else each for each in arguments)
        function = self._compiled(kernel.source).get_function(kernel.name)
        return partial(function, shape.grid, shape.block, given, shared_mem=shape.shared_bytes)

    def rfft(self, source: Any, target: Any, reserve: Reserve) -> Step:
        """The spectra of real rows."""
        rows, frames = source.shape
        plan = self._plan(frames, REAL_TO_COMPLEX, rows, reserve)
        return partial(plan.fft, source, target, FORWARD)

    def irfft(self, source: Any, target: Any, reserve: Reserve) -> Step:
        """The real rows of spectra, not normalised."""
        rows, frames = target.shape
        plan = self._plan(frames, COMPLEX_TO_REAL, rows, reserve)
        return partial(plan.fft, source, target, INVERSE)

    def capture(self, steps: Sequence[Step]) -> Graph:
        """The steps as one graph, after they have run once, so that all is loaded."""
        stream = self._cupy.cuda.Stream(non_blocking=True)
        with stream:
            for step in steps:
                step()
            stream.synchronize()
            self._capturing = stream
            try:
                stream.begin_capture()
                for step in steps:
                    step()
                graph = stream.end_capture()
            finally:
                self._capturing = None
            graph.upload(stream)
            stream.synchronize()
        return graph

    def close(self) -> None:
        """Let go of the memory."""
        if self._backing is not None:
            self._backing.close()

    def _pointer(self, offset: int) -> Any:
        if self._backing is None:
            raise AssertionError("no memory was reserved")
        return self._backing.pointer(offset)

    def _plan(self, frames: int, kind: int, rows: int, reserve: Reserve) -> Any:
        """A plan whose work area lies in the arena."""
        self._check_open("the plan of a transform")
        with self._cupy.cuda.using_allocator(lambda size: self._pointer(reserve(size))):
            return self._cupy.cuda.cufft.Plan1d(frames, kind, rows)

    @cache  # noqa: B019 - a device lives as long as its process
    def _compiled(self, source: str) -> Any:
        folder = Path(kernel_folder.__file__).parent
        code = (folder / source).read_text(encoding="utf-8")
        return self._cupy.RawModule(code=code, options=OPTIONS)

    def _bandwidth(self, runtime: Any) -> float | None:
        """Bytes a second by memory clock and bus width; newer runtimes no longer tell the clock."""
        attribute = partial(self._attribute, runtime)
        clock_khz = attribute("cudaDevAttrMemoryClockRate")
        width_bits = attribute("cudaDevAttrGlobalMemoryBusWidth")
        if not clock_khz or not width_bits:
            return None
        return TRANSFERS_A_CLOCK * 1000.0 * clock_khz * width_bits / 8.0

    def _attribute(self, runtime: Any, name: str) -> int:
        return int(runtime.deviceGetAttribute(getattr(runtime, name), self._device.id))

    def _check_open(self, what: str) -> None:
        if self._capturing is not None:
            raise DeviceAllocationError(what)


def _slice(name: str) -> str | None:
    """The part of a device that this is: an instance of MIG, or a share by MPS."""
    if "MIG" in name:
        return "a MIG instance"
    share = os.environ.get("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE")
    return None if share is None else f"{share} % of its threads"

"""One allocation on a CUDA device, by CuPy, and a stream of its own for moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.executors.vram.backing import Event
from controller.executors.vram.config import too_large

OUT_OF_MEMORY = 2
"""Status of CUDA where it has no room (cudaErrorMemoryAllocation)."""


class CupyEvent:
    """An event on a CUDA stream."""

    def __init__(self, event: Any) -> None:
        self._event = event

    @property
    def is_done(self) -> bool:
        """Whether all work before it has ended."""
        return bool(self._event.done)

    def wait(self) -> None:
        """Keep the host waiting until all work before it has ended."""
        self._event.synchronize()


class CupyBacking:
    """Memory of the current device; `cupy` is imported here, in the process that opens it.

    Raises ConfigurationError where other programs have taken too much of it meanwhile, and what
    CuPy raises where there is no device.
    """

    def __init__(self, size_bytes: int) -> None:
        import cupy

        self.size_bytes = size_bytes
        self._cuda = cupy.cuda
        self._memory = self._allocate(size_bytes)
        self._stream = cupy.cuda.Stream(non_blocking=True)

    def _allocate(self, size_bytes: int) -> Any:
        runtime = self._cuda.runtime
        try:
            return self._cuda.Memory(size_bytes)
        except runtime.CUDARuntimeError as error:
            if error.status != OUT_OF_MEMORY:
                raise
            raise too_large(size_bytes, runtime.memGetInfo()[0]) from None

    @property
    def address(self) -> int:
        """Address of the first byte on the device."""
        return int(self._memory.ptr)

    def pointer(self, offset: int) -> Any:
        """A MemoryPointer at that offset, for arrays over the arena."""
        return self._cuda.MemoryPointer(self._memory, offset)

    def copy(self, source: int, target: int, size_bytes: int) -> Event:
        """Copy on the stream of moves; done at the event."""
        self.pointer(target).copy_from_device_async(
            self.pointer(source), size_bytes, stream=self._stream
        )
        event = self._cuda.Event(disable_timing=True)
        event.record(self._stream)
        return CupyEvent(event)

    def fill(self, offset: int, size_bytes: int, byte: int) -> None:
        """Set every byte of a range, and wait."""
        self.pointer(offset).memset_async(byte, size_bytes, stream=self._stream)
        self._stream.synchronize()

    def write(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Copy (n,) bytes in, and wait."""
        host = np.ascontiguousarray(data)
        self.pointer(offset).copy_from_host_async(host.ctypes.data, host.nbytes, self._stream)
        self._stream.synchronize()

    def read(self, offset: int, size_bytes: int) -> NDArray[np.uint8]:
        """Copy (size_bytes,) bytes out, and wait."""
        host = np.empty(size_bytes, np.uint8)
        self.pointer(offset).copy_to_host_async(host.ctypes.data, size_bytes, self._stream)
        self._stream.synchronize()
        return host

    def released(self, offset: int, size_bytes: int) -> None:
        """Leave the bytes as they are: a fill would cost the device time."""

    def close(self) -> None:
        """Give the memory back once the last pointer to it is gone."""
        self._memory = None

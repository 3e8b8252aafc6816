"""Buffers between the kernels of a graph: in the arena, where they stay for good."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from controller.executors.gpu.devices.device import Device
from controller.executors.vram.backing import Backing
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.usage import Usage

OWNER = "workspace"


class Workspace:
    """Named buffers, each as large as its first user needs: the largest batch comes first."""

    def __init__(self, device: Device, manager: VRAMManager, backing: Backing) -> None:
        self._device = device
        self._manager = manager
        self._backing = backing
        self._reserved: dict[str, tuple[int, int]] = {}

    @property
    def arena(self) -> Any:
        """All of the arena, as bytes."""
        return self._device.array(0, (self._backing.size_bytes,), np.uint8)

    def reserve(self, name: str, size_bytes: int) -> int:
        """The offset of a buffer of at least that size, which is never moved."""
        if name not in self._reserved:
            handle = self._manager.allocate(size_bytes, Usage.WORKSPACE, f"{OWNER} {name}")
            self._reserved[name] = self._manager.pin_for_good(handle), size_bytes
        offset, reserved_bytes = self._reserved[name]
        if size_bytes > reserved_bytes:
            raise AssertionError(f"{name}: {size_bytes} bytes after {reserved_bytes}")
        return offset

    def work_area(self, size_bytes: int) -> int:
        """The offset of memory for one plan of a transform, which may need none."""
        return self.reserve(f"plan {len(self._reserved)}", size_bytes) if size_bytes else 0

    def buffer(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """A buffer as an array of that shape."""
        size_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        return self._device.array(self.reserve(name, size_bytes), shape, dtype)

    def constant(self, name: str, values: NDArray[Any]) -> Any:
        """A buffer that holds these values from now on."""
        offset = self.reserve(name, values.nbytes)
        self._backing.write(offset, np.ascontiguousarray(values).view(np.uint8).ravel())
        return self._device.array(offset, values.shape, values.dtype)

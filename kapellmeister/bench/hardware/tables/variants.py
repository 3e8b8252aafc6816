"""One block by whoever might render it: CuPy alone in two ways, and ours part by part."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from controller.workloads.arrays import FloatArray
from controller.workloads.backend import Backend
from controller.workloads.backends import cupy_backend
from kapellmeister.bench.hardware.bare_batch import BareBatch
from kapellmeister.bench.hardware.rig import Rig, noise
from kapellmeister.bench.hardware.workloads import batched_of, on_arrays, settings_of

Block = Callable[[], object]
PER_CALL = "CuPy alone, memory allocated in each call, pageable copies"
POOLED = "CuPy alone, its default pool"
PARTS: Mapping[str, tuple[bool, bool]] = {
    "ours: arena": (False, False),
    "ours: arena, pinned copies": (True, False),
    "ours: arena, pinned copies, graphs": (True, True),
}
"""Ours part by part: whether copies are pinned, and work is replayed as a graph."""
CUDA_ONLY = (PER_CALL, POOLED)


class OnArrays:
    """A workload on arrays of a backend, as a competent user of it would write it.

    `to_device` copies a host array in; `allocating` is the context in which a block is rendered.
    """

    def __init__(
        self,
        title: str,
        streams: int,
        taps: int,
        backend: Backend,
        to_device: Callable[[FloatArray], Any],
        allocating: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.to_device, self.allocating = to_device, allocating
        self.sound = noise(streams)
        self.workload = on_arrays(title, settings_of(title, streams, taps), backend)
        self.slots = backend.xp.arange(streams, dtype=backend.xp.intp)

    def play(self) -> FloatArray:
        """One block of all streams; the bus on the host, (2, frames)."""
        with self.allocating():
            return to_host(self.workload.process(self.to_device(self.sound), self.slots))


def to_host(array: Any) -> FloatArray:
    """An array of any backend, on the host."""
    host: FloatArray = array.get() if hasattr(array, "get") else np.asarray(array)
    return host


def per_call(title: str, streams: int, taps: int) -> OnArrays:
    """CuPy without a pool, as the document's baseline allocates."""
    cupy = importlib.import_module("cupy")
    given = title, streams, taps, cupy_backend()
    return OnArrays(*given, partial(_pageable, cupy), partial(cupy.cuda.using_allocator, None))


def pooled(title: str, streams: int, taps: int) -> OnArrays:
    """CuPy as it comes: its pool of memory, and its staging of copies."""
    cupy = importlib.import_module("cupy")
    return OnArrays(title, streams, taps, cupy_backend(), cupy.asarray)


@contextmanager
def ours_by_parts(rig: Rig, title: str, streams: int) -> Iterator[dict[str, Block]]:
    """A batch on one stream, the parts added one by one."""
    workload = batched_of(title, settings_of(title, streams, rig.scale.taps))
    with rig.arena() as (backing, manager):
        batch = BareBatch(rig.device, backing, manager, workload, streams)
        yield {
            name: partial(batch.play, is_pinned=pinned, is_graph=graph)
            for name, (pinned, graph) in PARTS.items()
        }


def _pageable(cupy: Any, host: FloatArray) -> Any:
    """A copy from ordinary memory, which the driver stages."""
    array = cupy.empty(host.shape, host.dtype)
    array.set(host)
    return array

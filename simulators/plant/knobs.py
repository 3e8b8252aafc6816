"""The knobs of a simulated pipeline: those of the stages that it has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from policies.knobs import AnyThreadClasses, Bounds, Choice, Knob
from policies.latency import Calibration

BATCH_SIZES = (8, 16, 32, 64, 128, 256)
"""Streams in a batch, as a controller may choose them."""
DEVICE_BATCH_SIZES = (512, 1024, 2048, 4096)
"""Streams in a batch of a device beyond those, where a node of it carries as many."""
VRAM_BLOCK_BYTES = tuple(1 << k for k in range(14, 23))
"""Bytes in a block of device memory, as a controller may choose them."""


def available_knobs(calibration: Calibration) -> tuple[str, ...]:
    """The knobs that a pipeline has: those of the stages that it has."""
    stages = (("thread_classes", calibration.post), ("vram_block_bytes", calibration.transfer))
    return ("nodes", "batch_size", *(knob for knob, stage in stages if stage is not None))


def make_knobs(
    calibration: Calibration, nodes_max: int, start_s: float, allowed: tuple[str, ...] | None
) -> Mapping[str, Knob]:
    """The pipeline's knobs that the controller may turn; `allowed` None stands for all."""
    known = {
        "nodes": Knob("nodes", Bounds(1, nodes_max, step=nodes_max), "nodes", delay_s=start_s),
        "batch_size": Knob("batch_size", Choice(_batch_sizes(calibration)), "gpu"),
        "thread_classes": Knob("thread_classes", AnyThreadClasses(), "cpu"),
        "vram_block_bytes": Knob("vram_block_bytes", Choice(VRAM_BLOCK_BYTES), "memory"),
    }
    has = available_knobs(calibration)
    return MappingProxyType(
        {knob: known[knob] for knob in has if allowed is None or knob in allowed}
    )


def _batch_sizes(calibration: Calibration) -> tuple[int, ...]:
    """Batches that a node can fill, beyond those of a processor where it has a device."""
    if calibration.transfer is None:
        return BATCH_SIZES
    filled = (size for size in DEVICE_BATCH_SIZES if size <= calibration.stable_streams(size))
    return (*BATCH_SIZES, *filled)

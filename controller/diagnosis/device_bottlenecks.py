"""Causes that lie in a device: its memory, its copies, its work."""

from __future__ import annotations

from controller.diagnosis.cause import CAPACITY, Cause
from controller.diagnosis.device_signs import COPYING, DEVICE_BUSY, WASTED, DeviceSigns
from controller.diagnosis.signs import SLOW
from policies.diagnosis import Bottleneck, Breach

WORK = 0.8
"""Part of a stage's time that the device must have spent on it to be its cause."""


def device_memory_symptom(device: DeviceSigns) -> str | None:
    """The symptom of a device on which streams found no room; None where all did."""
    if not device.is_short_of_device_memory:
        return None
    if device.displaced:
        return f"{device.displaced:.0f} streams found no room on the device"
    refused = (device.refused_full or 0.0) + (device.refused_fragmented or 0.0)
    return f"{refused:.3g} allocations a second found no room on the device"


def find_device_cause(
    device: DeviceSigns, breaches: tuple[Breach, ...], symptom: str
) -> Cause | None:
    """The cause that the device's own figures show; None where they show none, or there are none.

    Memory comes first: what found no room there is rendered elsewhere, and makes that busy.
    """
    return (
        _short_of_device_memory(device, symptom)
        or _transfer(device, breaches, symptom)
        or _busy(device, breaches, symptom)
    )


def _short_of_device_memory(device: DeviceSigns, symptom: str) -> Cause | None:
    """Smaller blocks help where waste is to blame, nodes always."""
    if not device.is_short_of_device_memory:
        return None
    wasted = device.wasted
    used = "" if device.occupied is None else f" with {device.occupied:.0%} of it in use"
    lost = "" if wasted is None else f", {wasted:.0%} of that by blocks that hold less"
    state = "in pieces too small for what is asked" if device.is_fragmented else "full"
    why = f"the device's memory is {state}{used}{lost}"
    blocks_help = wasted is None or wasted >= WASTED
    knobs = ("vram_block_bytes", "nodes") if blocks_help else ("nodes",)
    return Cause(Bottleneck.GPU_MEMORY, f"{symptom}: {why}", knobs)


def _transfer(device: DeviceSigns, breaches: tuple[Breach, ...], symptom: str) -> Cause | None:
    """Copies take most of a batch's time, and the device is busy or the copy is what is late."""
    if device.copying is None or device.copying < COPYING:
        return None
    copy_is_late = _is_late("transfer_in", device.copy_ms, breaches)
    if not copy_is_late and (device.busy or 0.0) <= DEVICE_BUSY:
        return None
    took = "" if device.copy_ms is None else f"; that of a batch takes {device.copy_ms:.2f} ms"
    why = f"copies to the device and back are {device.copying:.0%} of a batch's time there{took}"
    knobs = ("vram_block_bytes", *CAPACITY)
    return Cause(Bottleneck.TRANSFER, f"{symptom}: {why}", knobs)


def _busy(device: DeviceSigns, breaches: tuple[Breach, ...], symptom: str) -> Cause | None:
    """The device has no reserve, or its work is what makes a batch late."""
    if (device.busy or 0.0) > DEVICE_BUSY:
        why = f"the device is busy {device.busy:.0%} of the time"
    elif _is_late("compute", device.compute_ms, breaches):
        why = f"a batch takes {device.compute_ms:.2f} ms of work on the device"
    else:
        return None
    if device.clock is not None and device.clock < SLOW:
        why += f", at {device.clock:.0%} of its clock; see to its cooling and its power limit"
    return Cause(Bottleneck.GPU, f"{symptom}: {why}", CAPACITY)


def _is_late(stage: str, took_ms: float | None, breaches: tuple[Breach, ...]) -> bool:
    """Whether a stage breached its threshold, and the device's part of it is the reason."""
    stage_ms = next((each.value_ms for each in breaches if each.component == stage), None)
    return stage_ms is not None and took_ms is not None and took_ms >= WORK * stage_ms

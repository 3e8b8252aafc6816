"""The process that reads a GPU: `python -m controller.sensors.gpu.monitor [PCI_BUS_ID]`.

A process of its own, since NVML may wait for the driver, and CUDA must not be near a fork. It
runs at the priority of its parent: a lower one would be pre-empted while it holds the lock.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Generator
from dataclasses import asdict
from typing import Any

from controller.linux.prctl import name_process
from controller.monitors.monitor import Line, orders, report
from controller.sensors.gpu.nvml import NvmlDevice
from controller.sensors.gpu.period import SHORTEST_S, longer_period_s, next_period_s

RARER = "rarer"
"""Order that is given once reading has disturbed sound."""
REMEDIES = {
    "LibraryNotFound": "install NVIDIA's driver, or give the container its GPUs",
    "NoPermission": "let this user read and write /dev/nvidia*",
}
"""Remedies by what NVML could not be started for."""


def readings(nvml: Any, pci_bus_id: str | None) -> Generator[Line, None, None]:
    """A line for each reading, with the seconds that it took; or one error, and the end."""
    try:
        device = NvmlDevice(nvml, pci_bus_id)
    except nvml.NVMLError as error:
        kind = type(error).__name__.removeprefix("NVMLError_")
        yield {"error": [f"NVML: {error}", REMEDIES.get(kind, "see whether `nvidia-smi` answers")]}
        return
    period_s = SHORTEST_S
    while True:
        began_s = time.monotonic()
        figures = device.read()
        took_s = time.monotonic() - began_s
        yield {"read_at_s": began_s, "took_s": took_s, **asdict(figures)}
        period_s = next_period_s(period_s, took_s)
        for order in orders(period_s):
            if order == [RARER]:
                period_s = longer_period_s(period_s)


def main(arguments: list[str]) -> None:
    """Report until nobody is left who listens."""
    name_process("kapell-gpu")
    report(readings(importlib.import_module("pynvml"), arguments[0] if arguments else None))


if __name__ == "__main__":
    main(sys.argv[1:])

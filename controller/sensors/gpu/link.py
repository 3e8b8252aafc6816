"""The process that reads the GPU, as its sensor sees it; or that there is none to start."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

from controller.linux.nvidia import device_file
from controller.monitors.link import MonitorLink
from controller.sensors.gpu.period import LONGEST_S

MODULE = "controller.sensors.gpu.monitor"
SILENT_S = 2 * LONGEST_S
"""Silence, s, after which the process is taken to hang."""
LONGEST_PAUSE_S = 300.0
"""Pause, s, after which a process that ends again and again is still tried."""
NO_DEVICE = ("there is no NVIDIA device", "install its driver, or give the container its GPUs")
NO_BINDINGS = ("NVML's bindings are not installed", "pip install nvidia-ml-py")


class Link(Protocol):
    """What a sensor needs of a MonitorLink."""

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""

    @property
    def error(self) -> tuple[str, str]:
        """Why nothing is heard, and the remedy."""

    def newest(self) -> list[dict[str, Any]]:
        """The lines since the last call, oldest first; never waits."""

    def wait(self, patience_s: float) -> list[dict[str, Any]]:
        """The first lines, or none where none came in time."""

    def tell(self, order: str) -> bool:
        """Give an order; whether there is somebody to take it."""

    def close(self) -> None:
        """End the process."""


class NoLink:
    """In place of a process that would have nothing to read."""

    pid = None

    def __init__(self, error: tuple[str, str]) -> None:
        self.error = error

    def newest(self) -> list[dict[str, Any]]:
        """Nothing, ever."""
        return []

    def wait(self, patience_s: float) -> list[dict[str, Any]]:  # noqa: ARG002 - in vain
        """Nothing, at once."""
        return []

    def tell(self, order: str) -> bool:  # noqa: ARG002 - nobody takes it
        """Nobody takes an order."""
        return False

    def close(self) -> None:
        """Nothing is to be ended."""


def open_link(pci_bus_id: str | None = None) -> Link:
    """A process that reads this device, or the first one; none where that is in vain."""
    obstacle = nvml_obstacle()
    if obstacle is not None:
        return NoLink(obstacle)
    arguments = () if pci_bus_id is None else (pci_bus_id,)
    return MonitorLink(MODULE, *arguments, silent_s=SILENT_S, longest_pause_s=LONGEST_PAUSE_S)


def nvml_obstacle() -> tuple[str, str] | None:
    """Why NVML cannot be read here, and the remedy; None where it is worth a process."""
    if device_file() is None:
        return NO_DEVICE
    return NO_BINDINGS if find_spec("pynvml") is None else None

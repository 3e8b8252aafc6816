"""Whether the kernel offers an NVIDIA device."""

from __future__ import annotations

from pathlib import Path

DEVICE_FILES = ("nvidiactl", "dxg", "nvhost-ctrl-gpu")
"""Names below /dev: of a data-centre or desktop driver, of Windows' own, of a Jetson."""


def device_file(dev: Path = Path("/dev")) -> Path | None:
    """The file that an NVIDIA device is reached by; None where there is none."""
    return next((path for name in DEVICE_FILES if (path := dev / name).exists()), None)

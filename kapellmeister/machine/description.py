"""The machine that figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from controller.errors import KernelFileError
from controller.linux.kernel_files import read_text
from controller.linux.process_id import PROC
from simulators.figures import Figures

PACKAGES = ("kapellmeister", "numpy", "scipy", "numba", "pedalboard")


class Machine(Figures):
    """The machine and the versions; `packages` holds only what is installed."""

    processor: str
    cores: int
    kernel: str
    python: str
    packages: dict[str, str]

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return (
            f"{self.processor}, {self.cores} cores, {self.kernel}, Python {self.python}, {versions}"
        )


def describe_machine() -> Machine:
    """The machine at hand."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: found for name in PACKAGES if (found := _version(name)) is not None},
    )


def _processor(root: Path = PROC) -> str:
    """The processor's own name, or else its kind."""
    try:
        lines = read_text(root / "cpuinfo").splitlines()
    except KernelFileError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, names), platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

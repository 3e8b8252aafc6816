"""The running kernel's own account of itself; None or empty where it does not say."""

from __future__ import annotations

import gzip
import os
import platform
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from controller.errors import KernelFileError
from controller.linux import kernel_files

ROOT = Path("/")
COMMAND_NAME_LENGTH = 15
"""The kernel cuts a process's name to so many characters."""


def timer_frequency_hz(root: Path = ROOT) -> int | None:
    """CONFIG_HZ: how often per second the scheduler looks up by itself."""
    found = re.search(r"^CONFIG_HZ=([0-9]{1,6})$", _build_options(root), re.MULTILINE)
    return int(found[1]) if found else None


def preemption_model(root: Path = ROOT, version: str = platform.version()) -> str | None:
    """`none`, `voluntary`, `full`, `lazy` or `realtime`; of a dynamic one, which is chosen."""
    if _text(root / "sys/kernel/realtime").strip() == "1" or "PREEMPT_RT" in version:
        return "realtime"
    chosen = re.search(r"\((\w+)\)", _text(root / "sys/kernel/debug/sched/preempt"))
    if chosen:
        return chosen[1]
    options = _build_options(root)
    built = re.search(r"^CONFIG_PREEMPT(?:_(NONE|VOLUNTARY|LAZY))?=y$", options, re.MULTILINE)
    if built:
        return (built[1] or "full").lower()
    return "full" if re.search(r"\bPREEMPT\b", version) else None


def control_groups(root: Path = ROOT) -> str:
    """Which version of control groups is mounted, in words."""
    mounted = root / "sys/fs/cgroup"
    if is_there(mounted / "cgroup.controllers"):
        return "version 2"
    if is_there(mounted / "unified"):
        return "version 1, with version 2 beside it"
    return "version 1" if any(mounted.glob("cpu*")) else "none mounted"


def has_realtime_groups(root: Path = ROOT) -> bool:
    """Whether real-time threads need a budget of their control group (CONFIG_RT_GROUP_SCHED)."""
    return "\nCONFIG_RT_GROUP_SCHED=y" in _build_options(root)


def replaced_scheduler(root: Path = ROOT) -> str | None:
    """The sched_ext scheduler that took the place of the kernel's for ordinary threads."""
    return _text(root / "sys/kernel/sched_ext/root/ops").strip() or None


def running(names: Iterable[str], root: Path = ROOT) -> tuple[str, ...]:
    """Which of these programs run, in the order given."""
    alive = {_text(path).strip() for path in (root / "proc").glob("[0-9]*/comm")}
    return tuple(name for name in names if name[:COMMAND_NAME_LENGTH] in alive)


def is_there(path: Path) -> bool:
    """Whether a file exists that may be seen."""
    return os.access(path, os.F_OK)


def _build_options(root: Path) -> str:
    try:
        packed = kernel_files.read_bytes(root / "proc/config.gz")
        return gzip.decompress(packed).decode(errors="replace")
    except (OSError, EOFError, zlib.error):
        return _text(root / f"boot/config-{platform.release()}")


def _text(path: Path) -> str:
    """The content of a kernel file; empty where it is absent, closed to us, or gone meanwhile."""
    try:
        return kernel_files.read_text(path)
    except KernelFileError:
        return ""

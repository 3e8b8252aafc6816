"""The rows of `bench hardware` in a terminal, a table a part."""

from __future__ import annotations

from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from controller.executors.gpu.devices.availability import version_words
from kapellmeister.bench.hardware.document import SOURCE
from kapellmeister.bench.hardware.figures import DeviceFigures, HardwareReport, Row
from kapellmeister.bench.spread import Spread


def print_report(report: HardwareReport, console: Console) -> None:
    """Every row: what was measured, the document's figure, the goal; or why there is none."""
    console.print(f"{device_words(report.device)}\n")
    for part, rows in groupby(report.rows, key=lambda row: row.part):
        table = Table(part, "measured", "p99", SOURCE, "goal", box=None, title_justify="left")
        for row in rows:
            table.add_row(*map(escape, cells(row)))
        console.print(table, "")
    took = f"{report.took_s:.0f} s of {report.budget_s:g} s"
    console.print(f"{report.machine}; {took}{'' if report.is_complete else ', cut short'}")


def cells(row: Row) -> tuple[str, str, str, str, str]:
    """A row in words: its name, what was measured, p99, the document's figure, the goal."""
    measured = _words(row.measured) if row.measured is not None else f"not measured: {row.why_not}"
    p99 = "" if row.p99 is None else f"{row.p99:.3g}"
    document = "" if row.document is None else f"{row.document:g}"
    return f"{row.name}{f', {row.unit}' if row.unit else ''}", measured, p99, document, row.goal


def device_words(device: DeviceFigures) -> str:
    """The device and what drives it, in one line."""
    parts = [device.name, f"{device.multiprocessors} multiprocessors"]
    if device.compute_capability is not None:
        parts.append("compute capability {}.{}".format(*device.compute_capability))
    parts.append(f"{device.memory_bytes / 2**30:.1f} GiB")
    versions = {"driver for CUDA": device.driver, "CUDA": device.cuda, "NVRTC": device.nvrtc}
    parts += [
        f"{what} {version_words(each)}" for what, each in versions.items() if each is not None
    ]
    parts += [f"CuPy {device.cupy}"] if device.cupy else []
    return ", ".join(parts if device.slice_of is None else [*parts, device.slice_of])


def _words(spread: Spread) -> str:
    once = spread.lowest == spread.highest
    return f"{spread.median:.3g}" if once else spread.words(".3g")

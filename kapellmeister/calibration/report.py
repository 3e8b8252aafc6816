"""Figures of a calibration: the law that was fitted, and how far to trust it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from kapellmeister.machine.description import Machine
from kapellmeister.terminal.words import figure
from policies.latency import Transfer
from simulators.calibration.calibration import Fidelity
from simulators.figures import Figures

LATE_MS = 1.0
"""Milliseconds from which a thread that wakes late was not woken: a hypervisor does not count
that as stolen."""


class PointFigures(Figures):
    """A held-out operating point; errors are relative, above zero where predicted too high.

    `sampling_errors` are relative standard errors of what was measured: as far as chance alone
    would take it in such a time.
    """

    streams: int
    batch_size: int
    utilisation: float
    measured_ms: tuple[float, ...]
    sampling_errors: tuple[float, ...]
    predicted_ms: tuple[float, ...]
    errors: tuple[float, ...]
    deadline_ms: float
    measured_miss_rate: float
    predicted_miss_rate: float
    miss_rate_error: float | None


class TransferFigures(Figures):
    """The way of input to a device, in blocks; bytes, milliseconds and bytes a millisecond.

    Each stream holds `state_bytes` out of `memory_bytes`.
    """

    overhead_ms: float
    bytes_per_ms: float
    bytes_per_stream: int
    state_bytes: int
    memory_bytes: int


class CalibrationReport(Figures):
    """The fit, its points, whether the machine was quiet, and what came of it.

    `repeated_share` is how many samples were taken again as too slow, as a part of those planned;
    `slow_share` the part of those kept that were no better.
    """

    machine: Machine
    plant: str
    workload: str
    scheduling: str
    fixed_ms: float
    per_stream_ms: float
    transfer: TransferFigures | None
    valid_streams: tuple[int, int]
    steal_share: float | None
    preempted_share: float
    late_share: float
    slow_share: float
    repeated_share: float
    quiet: bool
    percentiles: tuple[float, ...]
    held_out: tuple[PointFigures, ...]


def point_figures(point: Fidelity, sampling_errors: tuple[float, ...]) -> PointFigures:
    """Figures of a point that was played again by the fitted law."""
    return PointFigures(
        streams=point.streams,
        batch_size=point.batch_size,
        utilisation=point.utilisation,
        measured_ms=point.measured_ms,
        sampling_errors=sampling_errors,
        predicted_ms=point.predicted_ms,
        errors=point.errors,
        deadline_ms=point.deadline_ms,
        measured_miss_rate=point.measured_miss_rate,
        predicted_miss_rate=point.predicted_miss_rate,
        miss_rate_error=point.miss_rate_error,
    )


def transfer_figures(transfer: Transfer | None) -> TransferFigures | None:
    """Figures of a transfer; None where input does not go to a device."""
    if transfer is None:
        return None
    return TransferFigures(
        overhead_ms=transfer.overhead_ms,
        bytes_per_ms=transfer.bytes_per_ms,
        bytes_per_stream=transfer.bytes_per_stream,
        state_bytes=transfer.held_bytes,
        memory_bytes=transfer.memory_bytes,
    )


def print_report(report: CalibrationReport, console: Console) -> None:
    """Print the law, the errors with their direction, and how far to trust them."""
    console.print(
        f"{report.plant}, {report.workload}, {report.scheduling}: a batch of n streams takes "
        f"{report.fixed_ms:.4f} ms + n x {1000 * report.per_stream_ms:.3f} us; "
        f"valid for {report.valid_streams[0]} to {report.valid_streams[1]} streams a worker"
    )
    if report.transfer is not None:
        console.print(_transfer_line(report.transfer))
    console.print(_points_table(report))
    console.print(
        "± is the standard error of what was measured, in brackets that of the prediction."
    )
    console.print(_quietness(report))


def _transfer_line(found: TransferFigures) -> str:
    return (
        f"a block of input takes {1000 * found.overhead_ms:.2f} us, and its bytes come at "
        f"{found.bytes_per_ms / 1e6:.3g} GB/s; a stream brings {found.bytes_per_stream} bytes and "
        f"holds {found.state_bytes / 1024:.1f} KiB of {found.memory_bytes / (1 << 20):.0f} MiB"
    )


def _points_table(report: CalibrationReport) -> Table:
    table = Table(box=None, padding=(0, 1))
    heads = ("held out", "busy", "p50", "p95", "p99", "missed", "predicted", "error")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for point in report.held_out:
        found = zip(point.measured_ms, point.sampling_errors, point.errors, strict=True)
        table.add_row(
            f"{point.streams} streams, {point.batch_size} a batch",
            f"{point.utilisation:.0%}",
            *(f"{ms:.3f} ms ±{by_chance:.1%} ({error:+.1%})" for ms, by_chance, error in found),
            f"{point.measured_miss_rate:.3%} of {point.deadline_ms:.2f} ms",
            f"{point.predicted_miss_rate:.3%}",
            figure(point.miss_rate_error, "+.0%"),
        )
    return table


def _quietness(report: CalibrationReport) -> str:
    state = "quiet" if report.quiet else "not quiet: the figures above hold only as far as it was"
    return (
        f"The machine was {state} ({figure(report.steal_share, '.2%', 'unknown')} stolen by the "
        f"hypervisor, {report.preempted_share:.2%} of the batches interrupted, "
        f"{report.late_share:.2%} of the periods begun over {LATE_MS:.0f} ms late, "
        f"{report.slow_share:.2%} of the looks at a processor that was much slower than usual, "
        f"{report.repeated_share:.2%} taken again for that)."
    )

"""The figures that a run leaves behind."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from kapellmeister.terminal.tables import summary_table
from kapellmeister.terminal.words import mib, ms, percent
from policies.observation import Counted
from simulators.figures import Figures

CLEAN_S = 3.0
TIME_TO_RECOVER_S = 2.0


class StreamFigures(Figures):
    """Live streams over the run."""

    peak: int
    mean: float


class BlockFigures(Figures):
    """Blocks of all streams by outcome: submitted = on_time + late + concealed + lost.

    Of a server's cycles, each that was missed is lost.
    """

    submitted: int
    on_time: int
    late: int
    concealed: int
    lost: int


class RunDelayFigures(Figures):
    """Delay from an audio thread's waking until it ran, milliseconds a wake, over the intervals."""

    median: float
    max: float


class LatencyFigures(Figures):
    """Latency from capture to finish, milliseconds; None where no block was finished."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class OverheadFigures(Figures):
    """The cost of control: the control process and its helpers, the pipeline left out.

    `cpu_share` is a share of one processor; `rss_mib` the control process at its peak.
    """

    cpu_share: float
    tick_ms_p50: float | None
    tick_ms_p99: float | None
    rss_mib: float | None
    ticks: int
    overruns: int


class StressFigures(Figures):
    """The disturbance, and what was missed once two seconds of it had passed."""

    processes: int
    onset_s: float
    miss_rate_after_2s: float | None


class RunReport(Figures):
    """The figures that `kapellmeister run --json` writes.

    `streams`, `blocks`, `latency_ms` and `run_delay_per_wake_ms` are None where the plant tells
    nothing of them. `acting` names the knobs that were turned: all, none, or some by name.
    `unrecorded` is why the run is not in the journal, None where it is.
    """

    plant: str
    policy: str
    shadow: bool
    acting: str
    duration_s: float
    deadline_ms: float
    buffer_blocks: int
    streams: StreamFigures | None
    counted: Counted = "blocks"
    blocks: BlockFigures | None
    miss_rate: float | None
    latency_ms: LatencyFigures | None
    run_delay_per_wake_ms: RunDelayFigures | None = None
    recovery_s: float | None
    stress: StressFigures | None
    decisions: int
    rollbacks: int
    steal_share: float | None
    overhead: OverheadFigures
    work_beside_sound: dict[str, int]
    alarms: list[str]
    timeline: list[tuple[int, int, int]]
    unrecorded: str | None = None

    def lines(self) -> list[tuple[str, str]]:
        """The summary as (what, figure), for people."""
        latency = self.latency_ms
        rows = [("played", f"{self.duration_s:.1f} s{_streams(self.streams)}")]
        if self.blocks is not None:
            outcomes = _cycles if self.counted == "cycles" else _outcomes
            rows += [(self.counted, outcomes(self.blocks)), ("missed", percent(self.miss_rate))]
        if self.run_delay_per_wake_ms is not None:
            rows.append(("run delay", _run_delay(self.run_delay_per_wake_ms)))
        if latency is not None:
            rows.append(
                (
                    "latency",
                    f"p50 {ms(latency.p50)}, p99 {ms(latency.p99)}, max {ms(latency.max)} "
                    f"(deadline {self.deadline_ms:.2f} ms)",
                )
            )
        if self.stress is not None:
            recovery = _recovery(self.recovery_s, self.duration_s - self.stress.onset_s)
            missed = self.stress.miss_rate_after_2s
            later = "" if missed is None else f"; {percent(missed)} missed from 2 s after"
            rows.append(
                (
                    "disturbed",
                    f"by {self.stress.processes} processes from "
                    f"{self.stress.onset_s:.1f} s on; {recovery}{later}",
                )
            )
        rows += [
            ("decisions", self._decisions()),
            (
                "control",
                f"{self.overhead.cpu_share:.2%} of one processor, tick p99 "
                f"{ms(self.overhead.tick_ms_p99)}, {mib(self.overhead.rss_mib)}, "
                f"{self.overhead.ticks} ticks ({self.overhead.overruns} overran)",
            ),
            ("steal", percent(self.steal_share) + " of processor time taken by the hypervisor"),
        ]
        return rows + [("alarm", alarm) for alarm in self.alarms]

    def _decisions(self) -> str:
        if self.acting == "none":
            return f"{self.decisions} in shadow, none of them applied; `--act` applies them"
        return f"{self.decisions}, of which {self.rollbacks} rolled back"


def _streams(streams: StreamFigures | None) -> str:
    if streams is None:
        return ""
    return f", {streams.mean:.1f} streams on average, {streams.peak} at most"


def _outcomes(blocks: BlockFigures) -> str:
    return (
        f"{blocks.submitted:,} submitted = {blocks.on_time:,} on time + "
        f"{blocks.late:,} late + {blocks.concealed:,} concealed + {blocks.lost:,} lost"
    )


def _cycles(blocks: BlockFigures) -> str:
    missed = blocks.submitted - blocks.on_time
    return f"{blocks.submitted:,} = {blocks.on_time:,} on time + {missed:,} missed"


def _run_delay(delay: RunDelayFigures) -> str:
    usual, worst = ms(delay.median), ms(delay.max)
    return f"audio threads ran {usual} after they woke (median), {worst} in the worst interval"


def _recovery(recovery_s: float | None, watched_s: float) -> str:
    if recovery_s is not None:
        return f"clean again within {recovery_s:.2f} s"
    if watched_s < CLEAN_S + TIME_TO_RECOVER_S:
        return "too short a time to tell when it was clean again"
    return "never three clean seconds after that"


def report_from(summary: dict[str, Any], **own: Any) -> RunReport:
    """The pipeline's own figures, and the controller's beside them.

    The built-in pipeline counts blocks, and tells nothing of how soon its threads ran.
    """
    known = {
        key: summary[key]
        for key in (
            "duration_s",
            "streams",
            "blocks",
            "miss_rate",
            "latency_ms",
            "recovery_s",
            "stress",
            "timeline",
        )
    }
    return RunReport(
        **known,
        counted=summary.get("counted", "blocks"),
        run_delay_per_wake_ms=summary.get("run_delay_per_wake_ms"),
        work_beside_sound=summary["rounds"],
        alarms=summary["alarms"],
        **own,
    )


def print_report(report: RunReport, console: Console) -> None:
    """Print the summary, a figure a line."""
    console.print(summary_table(report.lines()))

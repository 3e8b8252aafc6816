"""The figures of `bench workloads` in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kapellmeister.bench.goal import at_least
from kapellmeister.bench.workloads.figures import PeerFigures, WorkloadsReport
from kapellmeister.terminal.words import figure


def print_report(report: WorkloadsReport, console: Console) -> None:
    """Two tables: the peers beside the goals, and each workload's share of the period."""
    peers = Table("renderer", "us a block", "times ours", "goal", "difference", box=None)
    peers.add_row("kapellmeister", report.ours_us.words(".0f"), "", "", "")
    for peer in report.peers:
        peers.add_row(
            peer.name,
            escape(peer.remark or "") if peer.block_us is None else peer.block_us.words(".0f"),
            "" if peer.ratio is None else peer.ratio.words(".1f"),
            _goal(peer),
            "" if peer.difference is None else f"{peer.difference:.0e}",
        )
    costs = Table("workload", "streams", "us a block", "share of the period", box=None)
    for cost in report.costs:
        share = cost.period_share.words(".1%")
        costs.add_row(cost.workload, str(cost.streams), cost.block_us.words(".0f"), share)
    console.print(
        f"HRTF, {report.streams} streams, {report.taps} taps, blocks of {report.period_frames} at "
        f"{report.sample_rate_hz} Hz; processor time, median (range) of {report.rounds} rounds"
    )
    console.print(peers, costs, sep="\n\n")
    steal = figure(report.steal_share, ".2%", "unknown")
    console.print(f"\n{report.machine}; steal {steal}")


def _goal(peer: PeerFigures) -> str:
    if peer.goal is None:
        return ""
    return at_least(None if peer.ratio is None else peer.ratio.median, peer.goal)

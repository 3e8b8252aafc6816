"""Tables in a terminal that several commands print."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table


def summary_table(rows: Iterable[tuple[str, str]]) -> Table:
    """A line a figure: its name in bold, and the figure in words."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(style="bold")
    for row in rows:
        table.add_row(*row)
    return table


def goal_table(head: str, rows: Iterable[tuple[str, str, str]]) -> Table:
    """A line a figure: its name, what was measured, and the goal."""
    table = Table(head, "measured", "goal", box=None)
    for row in rows:
        table.add_row(*row)
    return table

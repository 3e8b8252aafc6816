"""A bar for work that takes longer than a moment; none where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

Progress: TypeAlias = Callable[[str], AbstractContextManager[Callable[[float], None]]]
"""Shows work by its name while it lasts: in the context, a function to be told the part done."""


@contextmanager
def unseen(what: str) -> Iterator[Callable[[float], None]]:
    """Show nothing."""
    del what
    yield lambda _: None


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """A function to be told the part that is done, from 0 to 1."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    with ProgressBar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda part: bar.update(task, completed=part)

"""Processor time, taken in interleaved rounds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from rich.progress import track


def interleaved(turns: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Let each take its turn in every round: one list of times for each."""
    watched = track(range(rounds), "rounds", disable=not sys.stderr.isatty())
    taken = [[turn() for turn in turns] for _ in watched]
    return [list(times) for times in zip(*taken, strict=True)]


def call_us(call: Callable[[int], object], slice_s: float) -> float:
    """Mean processor time of a call over at least `slice_s`, after one that warms the caches.

    Of the whole process, so that no peer hides work in threads; not wall time, which other
    programs on the machine would lengthen.
    """
    call(0)
    calls, begun = 0, time.process_time()
    while (passed := time.process_time() - begun) < slice_s or calls == 0:
        calls += 1
        call(calls)
    return 1e6 * passed / calls

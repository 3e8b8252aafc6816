"""Rounds of all planes in turn, one a period, so that a disturbance falls on all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import numpy as np

from controller.errors import MissingExtraError
from controller.executors.processes import ProcessGroup
from kapellmeister.bench.cluster.plane import (
    PERIOD_FRAMES,
    PERIOD_S,
    STREAMS,
    Blocks,
    Open,
    Plane,
)
from kapellmeister.terminal.progress import Progress

WARMING_ROUNDS = 20
Windows = list[list[float]]
"""Times of rounds in microseconds, window by window."""


def measured(
    opens: Mapping[str, Open], workers: int, windows: int, rounds: int, shown: Progress
) -> tuple[dict[str, Windows], dict[str, str]]:
    """Times of each plane that can be had here, and remarks why others cannot."""
    group = ProcessGroup()
    with ExitStack() as closing:
        closing.callback(group.stop_all)
        planes, remarks = _opened(opens, workers, group, closing)
        with shown(f"{workers} workers") as advance:
            times = _timed(list(planes.values()), windows, rounds, advance)
    return dict(zip(planes, times, strict=True)), remarks


def _opened(
    opens: Mapping[str, Open], workers: int, group: ProcessGroup, closing: ExitStack
) -> tuple[dict[str, Plane], dict[str, str]]:
    planes: dict[str, Plane] = {}
    remarks: dict[str, str] = {}
    for name, open_plane in opens.items():
        try:
            plane = open_plane(workers, group)
        except MissingExtraError as error:
            remarks[name] = str(error)
            continue
        closing.callback(plane.close)
        if returns_all(plane):
            planes[name] = plane
        else:
            remarks[name] = "what comes back differs from what was sent"
    return planes, remarks


def returns_all(plane: Plane) -> bool:
    """Whether a plane does the work at all; it is warm afterwards."""
    generator = np.random.default_rng(1)
    for _ in range(WARMING_ROUNDS):
        blocks = generator.random((STREAMS, PERIOD_FRAMES), np.float32)
        if not np.array_equal(plane.round(blocks), blocks):
            return False
    return True


def _timed(
    planes: Sequence[Plane], windows: int, rounds: int, advance: Callable[[float], None]
) -> list[Windows]:
    blocks = np.random.default_rng(2).random((STREAMS, PERIOD_FRAMES), np.float32)
    times: list[Windows] = [[] for _ in planes]
    for window in range(windows):
        for kept, taken in zip(times, _window(planes, rounds, blocks), strict=True):
            kept.append(taken)
        advance((window + 1) / windows)
    return times


def _window(planes: Sequence[Plane], rounds: int, blocks: Blocks) -> list[list[float]]:
    """Times of each plane, microseconds; no round begins before its period does."""
    taken: list[list[float]] = [[] for _ in planes]
    was_collecting = gc.isenabled()
    gc.disable()
    due_s = time.perf_counter()
    for _ in range(rounds):
        for plane, times in zip(planes, taken, strict=True):
            due_s = max(due_s + PERIOD_S, time.perf_counter())
            time.sleep(max(0.0, due_s - time.perf_counter()))
            begun_ns = time.perf_counter_ns()
            plane.round(blocks)
            times.append((time.perf_counter_ns() - begun_ns) / 1e3)
    if was_collecting:
        gc.enable()
    return taken

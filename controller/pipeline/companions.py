"""The work beside the sound: spectra of the live streams, pictures of them, and disturbances."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.executors.executor import InputBlocks
from controller.executors.stream_table import StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import Workload

ROUND_INTERVAL_S = 0.05
PICTURE_INTERVAL_S = 0.5
BLOCKS_AT_A_STRETCH = 16
BREATHER_S = 0.0005
"""Seconds of rest after each stretch of long work, in which others get the processor."""


class Board:
    """Figures that a companion process shows to the pipeline: shared, one writer each."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 64)
        self._figures: NDArray[np.float64] = np.frombuffer(self._memory, np.float64, 3)
        self._figures[:] = (1.0, 0.0, 0.0)

    @property
    def share(self) -> float:
        """Part of one processor that the companion may use."""
        return float(self._figures[0])

    @share.setter
    def share(self, share: float) -> None:
        self._figures[0] = share

    @property
    def rounds(self) -> int:
        """Rounds of work finished so far."""
        return int(self._figures[1])

    @property
    def round_ms(self) -> float:
        """How long the last round took on the wall clock, milliseconds."""
        return float(self._figures[2])

    def finished_round(self, wall_s: float) -> None:
        """Count a round."""
        self._figures[2] = wall_s * 1e3
        self._figures[1] += 1


class Companion:
    """Repeats a round of work at an interval, and rests longer where its share is used up."""

    def __init__(self, board: Board, interval_s: float, work: Callable[[], object]) -> None:
        self._board = board
        self._interval_s = interval_s
        self._work = work

    def run(self) -> None:
        """Work until the process is ended."""
        while True:
            wall_s, cpu_s = time.monotonic(), time.process_time()
            self._work()
            wall_s, cpu_s = time.monotonic() - wall_s, time.process_time() - cpu_s
            self._board.finished_round(wall_s)
            time.sleep(max(0.0, max(self._interval_s, cpu_s / self._board.share) - wall_s))


class StreamReader:
    """Feeds the live streams' current blocks to a workload, some at a time."""

    def __init__(
        self,
        workload: Workload,
        inputs: InputBlocks,
        table: StreamTable,
        timetable: Timetable,
        period_frames: int,
        streams_at_once: int,
    ) -> None:
        self._workload = workload
        self._inputs = inputs
        self._table = table
        self._timetable = timetable
        self._blocks = np.zeros((streams_at_once, period_frames), np.float32)
        self._turn = 0

    def advance(self, blocks: int) -> NDArray[np.intp]:
        """Process the last `blocks` blocks of the streams whose turn it is; return their slots."""
        live = self._table.latest().live
        if not len(live):
            return live
        at_once = len(self._blocks)
        slots = np.unique(np.take(live, range(self._turn, self._turn + at_once), mode="wrap"))
        self._turn = (self._turn + at_once) % len(live)
        newest = self._timetable.capturing(time.monotonic_ns()) - 1
        for block in range(max(0, newest - blocks + 1), newest + 1):
            self._inputs.gather(block, slots, self._blocks[: len(slots)])
            self._workload.process(self._blocks[: len(slots)], slots)
            if (newest - block) % BLOCKS_AT_A_STRETCH == BLOCKS_AT_A_STRETCH - 1:
                time.sleep(BREATHER_S)
        return slots


def analysis(board: Board, reader: StreamReader) -> Companion:
    """Spectra of 16 live streams in each round."""
    return Companion(board, ROUND_INTERVAL_S, lambda: reader.advance(4))


def visualisation(
    board: Board,
    reader: StreamReader,
    write_png: Callable[[int, Path], None],
    folder: Path,
    columns: int,
) -> Companion:
    """A picture of `columns` blocks of one live stream in each round, the next one each time."""

    def draw() -> None:
        for slot in reader.advance(columns):
            with suppress(FileNotFoundError):  # the folder was deleted: nobody wants to see them
                write_png(int(slot), folder / f"stream-{slot % 8}.png")

    return Companion(board, PICTURE_INTERVAL_S, draw)


def disturb() -> None:
    """Use a processor for nothing at all: what someone else's program may do at any time."""
    while True:
        pass

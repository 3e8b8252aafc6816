"""Keeps the work beside the sound running, within what the sound leaves of the processors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from controller.executors.executor import Executor, InputBlocks, Process, Task
from controller.executors.timetable import Timetable
from controller.linux.processors import share_of_all_cpus
from controller.pipeline import companions
from controller.pipeline.companions import Board, StreamReader
from controller.pipeline.files import PICTURES
from controller.pipeline.reserve import Reserve
from controller.pipeline.spec import PipelineSpec
from controller.workloads.visualisation import COLUMNS, Visualisation
from controller.workloads.workload import Workload

INTERVAL_S = 0.5
"""Seconds from one grant of processor time to the next."""


class CompanionGroup:
    """Analysis and visualisation of the live streams, each a process with its board of figures."""

    def __init__(
        self,
        spec: PipelineSpec,
        executor: Executor,
        workloads: Mapping[str, Workload],
        inputs: InputBlocks,
        timetable: Timetable,
    ) -> None:
        self._spec = spec
        self._executor = executor
        self._workloads = workloads
        self._inputs = inputs
        self._timetable = timetable
        self._reserve = Reserve(spec.reserve_share)
        self._boards: dict[str, Board] = {}
        self._tasks: dict[str, Task] = {}
        self._audio_cpu_ns = 0
        self._counted_s = 0.0

    def start(self, directory: Path) -> None:
        """Start what the specification wants; pictures go into a folder of the directory."""
        if self._spec.analysis_share is not None:
            board = self._board("analysis", self._spec.analysis_share)
            companion = companions.analysis(board, self._reader("analysis", 16))
            self._start(Task("analysis", "km-analysis", run=companion.run))
        if self._spec.visualisation_share is not None:
            board = self._board("visualisation", self._spec.visualisation_share)
            folder = directory / PICTURES
            folder.mkdir(exist_ok=True)
            write_png = cast(Visualisation, self._workloads["visualisation"]).write_png
            reader = self._reader("visualisation", 1)
            companion = companions.visualisation(board, reader, write_png, folder, COLUMNS)
            self._start(Task("visualisation", "km-pictures", run=companion.run))

    def restart(self, ended: Process) -> None:
        """Start a companion again that has ended; another process is left alone."""
        if ended.name in self._tasks:
            self._executor.schedule_task(self._tasks[ended.name])

    def set_budget(self, work_class: str, share: float) -> None:
        """The most that a class may use, as a part of all processor time."""
        self._reserve.set_budget(work_class, share)

    def keep_reserve(self, elapsed_s: float, audio_cpu_ns: int) -> None:
        """Grant processor time anew, now and then, by what audio has used since."""
        self._audio_cpu_ns += audio_cpu_ns
        passed_s = elapsed_s - self._counted_s
        if passed_s < INTERVAL_S:
            return
        used = self._audio_cpu_ns / 1e9 / passed_s / share_of_all_cpus(1.0)
        self._reserve.grant(used, self._boards)
        self._audio_cpu_ns, self._counted_s = 0, elapsed_s

    def round_ms(self) -> dict[str, float]:
        """How long the last round of each class took, milliseconds, once it has had one."""
        return {name: board.round_ms for name, board in self._boards.items() if board.rounds}

    def rounds(self) -> dict[str, int]:
        """Rounds of each class so far."""
        return {name: board.rounds for name, board in self._boards.items()}

    def _start(self, task: Task) -> None:
        self._tasks[task.name] = task
        self._executor.schedule_task(task)

    def _board(self, work_class: str, share: float) -> Board:
        board = self._boards[work_class] = Board()
        self._reserve.set_budget(work_class, share)
        board.share = share_of_all_cpus(share)
        return board

    def _reader(self, work_class: str, streams_at_once: int) -> StreamReader:
        return StreamReader(
            self._workloads[work_class],
            self._inputs,
            self._executor.table,
            self._timetable,
            self._spec.period_frames,
            streams_at_once,
        )

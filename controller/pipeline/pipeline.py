"""The built-in pipeline: streams in, stereo sound out, every block accounted for."""

from __future__ import annotations

import gc
import json
import os
import time
from pathlib import Path
from typing import Self, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from controller import plugins
from controller.errors import RecordingError
from controller.executors.cpu.executor import CpuExecutor, Task, share_of_all_cpus
from controller.executors.timetable import Timetable
from controller.linux.os_errors import explained, refused_write
from controller.load import trace as load
from controller.pipeline import companions
from controller.pipeline.live_streams import LiveStreams
from controller.pipeline.playout import Playout
from controller.pipeline.reserve import Reserve
from controller.pipeline.server import Reply, Request, Server
from controller.pipeline.spec import PipelineSpec
from controller.pipeline.statistics import BatchStatistics, LatencyHistogram, MissTimeline
from controller.sound.bank import SoundBank
from controller.sound.files import load_sound
from controller.sound.synthesis import synthesise_sounds
from controller.workloads.backends import numpy_backend
from controller.workloads.hrir import HrirSet, load_sofa
from controller.workloads.visualisation import COLUMNS, Visualisation
from controller.workloads.workload import Workload, WorkloadSettings
from policies.observation import BlockCounts

LEAD_IN_S = 0.4
"""From the fork of the workers to the first block: time for them to arrive."""
TURN_S = 0.02
RESERVE_INTERVAL_S = 0.5
ORPHAN_SUMMARY = "pipeline-summary.json"
OTHER_FILE = "name a file in a folder that can be written"


class Pipeline:
    """Owns the executor and everything beside it; answers its controller between turns."""

    def __init__(self, spec: PipelineSpec, directory: Path) -> None:
        self._spec = spec
        self._directory = directory
        self._bank = _sound_bank(spec)
        hrirs = _hrirs(spec)
        workloads = {
            work_class: _workload(spec, name, hrirs, self._bank)
            for work_class, name in _workloads_needed(spec).items()
        }
        self._workloads = workloads
        self._recording = _open_recording(spec)
        self._server = Server(directory)
        self._timetable = _timetable(spec)
        self._executor = CpuExecutor(
            workloads["audio"],
            self._bank,
            self._timetable,
            capacity=spec.capacity,
            period_frames=spec.period_frames,
            batch_size=spec.batch_size,
            nodes_max=spec.nodes_max,
        )
        hear = self._write if self._recording is not None else None
        self._playout = Playout(self._timetable, spec.capacity, spec.period_frames, hear)
        self._streams = LiveStreams(self._executor, _trace(spec), spec.capacity)
        self._interval = LatencyHistogram(), BatchStatistics()
        self._latency = LatencyHistogram()
        self._misses = MissTimeline(spec.period_frames / spec.sample_rate_hz)
        self._reported = BlockCounts()
        self._stress_started_s: float | None = None
        self._stream_seconds = 0.0
        self._elapsed_s = 0.0
        self._boards: dict[str, companions.Board] = {}
        self._reserve = Reserve(spec.reserve_share)
        self._audio_cpu_ns = 0
        self._audio_cpu_counted_s = 0.0
        self._deaths: list[str] = []
        self._alarms: list[str] = []
        self._companions: dict[str, Task] = {}
        self._report_due_ns: int | None = None
        self._stopping = False

    @property
    def _blocks(self) -> int:
        return int(self._spec.duration_s * 1e9 / self._spec.period_ns)

    def start(self) -> None:
        """Start every process; streams come once the workers are at work."""
        gc.collect()
        gc.freeze()  # or the first collection in each child would copy every page
        self._executor.start(self._spec.nodes)
        self._start_companions()

    def run(self) -> None:
        """Play to the end of the duration, or until told to stop."""
        while not self._stopping and self._playout.next_block < self._blocks:
            self._server.serve(TURN_S, self._answer)
            self._turn()
            self._report()
        self._await_farewell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End every process and finish the recording."""
        self._executor.stop()
        self._server.close()
        if self._recording is not None:
            self._recording.close()

    def _turn(self) -> None:
        elapsed_s = (time.monotonic_ns() - self._timetable.start_ns) / 1e9
        self._stream_seconds += self._streams.count * max(0.0, elapsed_s - self._elapsed_s)
        self._elapsed_s = max(0.0, elapsed_s)
        self._account()
        self._bury()
        self._executor.level()
        self._disturb()
        self._keep_reserve()
        if self._executor.is_ready and self._elapsed_s < self._spec.duration_s:
            self._streams.follow(self._elapsed_s)
            self._announce()

    def _announce(self) -> None:
        assignment = self._executor.publish()
        if assignment is not None:
            self._playout.assign(assignment)

    def _account(self) -> None:
        latency, batches = self._interval
        for worker, finished, buses in self._executor.read():
            self._playout.collect(worker, finished, buses)
            batches.add(finished)
            self._audio_cpu_ns += int(finished["cpu_ns"].sum())
        for settled in self._playout.settle(time.monotonic_ns(), self._blocks):
            latency.add(settled.latency_ns)
            self._latency.add(settled.latency_ns)
            self._misses.add(settled)

    def _keep_reserve(self) -> None:
        passed_s = self._elapsed_s - self._audio_cpu_counted_s
        if passed_s < RESERVE_INTERVAL_S:
            return
        used = self._audio_cpu_ns / 1e9 / passed_s / share_of_all_cpus(1.0)
        self._reserve.grant(used, self._boards)
        self._audio_cpu_ns, self._audio_cpu_counted_s = 0, self._elapsed_s

    def _disturb(self) -> None:
        due = self._spec.stress and self._elapsed_s >= self._spec.stress_after_s
        if not due or self._stress_started_s is not None:
            return
        self._stress_started_s = self._elapsed_s
        for number in range(self._spec.stress):
            task = Task("background", f"km-stress-{number}", run=companions.disturb)
            self._executor.schedule_task(task)

    def _start_companions(self) -> None:
        if self._spec.analysis_share is not None:
            board = self._board("analysis", self._spec.analysis_share)
            companion = companions.analysis(board, self._reader("analysis", 16))
            self._start_companion(Task("analysis", "km-analysis", run=companion.run))
        if self._spec.visualisation_share is not None:
            board = self._board("visualisation", self._spec.visualisation_share)
            folder = self._directory / "pictures"
            folder.mkdir(exist_ok=True)
            write_png = cast(Visualisation, self._workloads["visualisation"]).write_png
            reader = self._reader("visualisation", 1)
            companion = companions.visualisation(board, reader, write_png, folder, COLUMNS)
            self._start_companion(Task("visualisation", "km-pictures", run=companion.run))

    def _start_companion(self, task: Task) -> None:
        self._companions[task.name] = task
        self._executor.schedule_task(task)

    def _bury(self) -> None:
        """Note who has died; workers are replaced by the executor, companions here."""
        for process in self._executor.reap():
            self._deaths.append(process.name)
            self._alarms.append(f"{process.name} ended unexpectedly and was replaced")
            if process.name in self._companions:
                self._executor.schedule_task(self._companions[process.name])

    def _board(self, work_class: str, share: float) -> companions.Board:
        board = self._boards[work_class] = companions.Board()
        self._reserve.set_budget(work_class, share)
        board.share = share_of_all_cpus(share)
        return board

    def _reader(self, work_class: str, streams_at_once: int) -> companions.StreamReader:
        return companions.StreamReader(
            self._workloads[work_class],
            self._bank,
            self._executor.table,
            self._timetable,
            self._spec.period_frames,
            streams_at_once,
        )

    def _write(self, heard: NDArray[np.float32]) -> None:
        """Record what is heard; where that fails, the sound goes on without."""
        if self._recording is None:
            return
        try:
            self._recording.write(heard.T)
        except soundfile.LibsndfileError as error:
            self._alarms.append(str(_unrecorded(Path(self._recording.name), error)))
            self._recording = None

    # what the controller may ask

    def _report(self) -> None:
        """Send the report that was ordered, once it is due."""
        if self._report_due_ns is not None and time.monotonic_ns() >= self._report_due_ns:
            self._report_due_ns = None
            self._server.send({"report": self._observation()})

    def _answer(self, request: Request) -> Reply | None:
        match request.get("do"):
            case "hello":
                return {"pid": os.getpid(), "spec": self._spec.model_dump(mode="json")}
            case "observe":
                self._report_due_ns = None
                return self._observation()
            case "report":
                self._report_due_ns = cast(int, request["due_ns"])
                return None
            case "set":
                return self._set(str(request["knob"]), request["value"])
            case "summary":
                return self.summary()
            case "stop":
                self._stopping = True
                return {}
            case other:
                return {"error": f"unknown request {other!r}"}

    def _observation(self) -> Reply:
        self._account()
        latency, batches = self._interval
        self._interval = LatencyHistogram(), BatchStatistics()
        counts, self._reported = self._playout.counts - self._reported, self._playout.counts
        return {
            "made_ns": time.monotonic_ns(),
            "finished": self._playout.next_block >= self._blocks,
            "elapsed_s": self._elapsed_s,
            "load": self._streams.count,
            "blocks": _plain(counts),
            "latency_ms": latency.summary(),
            **batches.summary(),
            "nodes": self._executor.nodes,
            "batch_size": self._executor.batch_size,
            "processes": self._executor.processes(),
            "round_ms": {n: b.round_ms for n, b in self._boards.items() if b.rounds},
            "deaths": self._deaths,
            "stress": self._stress_started_s is not None,
        }

    def _set(self, knob: str, value: object) -> Reply:
        if knob == "nodes" and isinstance(value, int):
            self._executor.set_nodes(value)
        elif knob == "batch_size" and isinstance(value, int):
            self._executor.set_batch_size(value)
        elif knob.endswith("_share") and isinstance(value, float):
            self._reserve.set_budget(knob.removesuffix("_share"), value)
        else:
            return {"error": f"no knob {knob} takes {value!r}"}
        return {}

    def summary(self) -> Reply:
        """The figures of the whole run; the account of every stream is checked here."""
        submitted, outcomes = self._playout.submitted_and_outcomes()
        if not np.array_equal(submitted, outcomes.sum(axis=0)):
            raise AssertionError("submitted != on_time + late + concealed + lost for some stream")
        counts, onset_s = self._playout.counts, self._stress_started_s
        return {
            "duration_s": self._elapsed_s,
            "streams": {
                "peak": self._streams.peak,
                "mean": self._stream_seconds / self._elapsed_s if self._elapsed_s else 0.0,
            },
            "blocks": {"submitted": int(submitted.sum()), **_plain(counts)},
            "miss_rate": counts.miss_rate,
            "latency_ms": self._latency.summary(),
            "recovery_s": self._recovery_s(onset_s),
            "stress": None if onset_s is None else self._under_stress(onset_s),
            "timeline": self._misses.seconds(),
            "rounds": {name: board.rounds for name, board in self._boards.items()},
            "deaths": self._deaths,
            "alarms": self._alarms,
        }

    def _recovery_s(self, onset_s: float | None) -> float | None:
        return None if onset_s is None else self._misses.recovery_s(onset_s, self._elapsed_s)

    def _under_stress(self, onset_s: float) -> dict[str, object]:
        return {
            "processes": self._spec.stress,
            "onset_s": onset_s,
            "miss_rate_after_2s": self._misses.miss_rate_from(onset_s + 2.0),
        }

    def _await_farewell(self) -> None:
        """Give the controller time to ask for the summary; without one, write it down."""
        give_up_s = time.monotonic() + self._spec.farewell_s
        while not self._stopping and time.monotonic() < give_up_s:
            self._server.serve(TURN_S, self._answer)
            self._report()
        if not self._stopping:
            text = json.dumps(self.summary())
            (self._directory / ORPHAN_SUMMARY).write_text(text, encoding="utf-8")


def _plain(counts: BlockCounts) -> dict[str, int]:
    return {
        "on_time": counts.on_time,
        "late": counts.late,
        "concealed": counts.concealed,
        "lost": counts.lost,
    }


def _timetable(spec: PipelineSpec) -> Timetable:
    deadline_ns = round(spec.deadline_ms * 1e6)
    buffer_ns = round(spec.buffer_blocks * spec.period_ns)
    start_ns = time.monotonic_ns() + int(LEAD_IN_S * 1e9)
    return Timetable(start_ns, spec.period_ns, deadline_ns, buffer_ns)


def _sound_bank(spec: PipelineSpec) -> SoundBank:
    if spec.audio is not None:
        sounds = load_sound(spec.audio, spec.sample_rate_hz)
    else:
        sounds = synthesise_sounds(spec.sample_rate_hz, spec.seed)
    return SoundBank(sounds, spec.period_frames, spec.capacity)


def _hrirs(spec: PipelineSpec) -> HrirSet | None:
    """The head to hear with; None for the workload's own."""
    if spec.hrtf is None:
        return None
    return load_sofa(spec.hrtf, spec.sample_rate_hz).levelled()


def _workloads_needed(spec: PipelineSpec) -> dict[str, str]:
    """Name of the workload that each class of work runs."""
    needed = {"audio": spec.workload}
    if spec.analysis_share is not None:
        needed["analysis"] = "fft"
    if spec.visualisation_share is not None:
        needed["visualisation"] = "visualisation"
    return needed


def _workload(spec: PipelineSpec, name: str, hrirs: HrirSet | None, bank: SoundBank) -> Workload:
    """A workload whose every kernel is compiled, so that no child ever does that."""
    settings = WorkloadSettings(
        spec.sample_rate_hz, spec.period_frames, spec.capacity, spec.taps, hrirs
    )
    workload: Workload = plugins.find("workloads", name)(settings, numpy_backend())
    for count in {1, min(spec.batch_size, spec.capacity), spec.capacity}:
        slots = np.arange(count, dtype=np.intp)
        blocks = np.zeros((count, spec.period_frames), np.float32)
        bank.gather(0, slots, blocks)
        workload.process(blocks, slots)
        workload.reset(slots)
    return workload


def _trace(spec: PipelineSpec) -> load.LoadTrace:
    if spec.streams is not None:
        return load.constant(spec.streams)
    if spec.trace is None:
        return load.evening(spec.peak_streams, spec.duration_s)
    return load.read_trace(spec.trace).scaled(spec.peak_streams, spec.duration_s)


def _open_recording(spec: PipelineSpec) -> soundfile.SoundFile | None:
    if spec.record is None:
        return None
    _check_recording(spec.record)
    try:
        return soundfile.SoundFile(
            spec.record, "w", spec.sample_rate_hz, channels=2, subtype="PCM_16", format="WAV"
        )
    except soundfile.LibsndfileError as error:
        raise _unrecorded(spec.record, error) from error


def _check_recording(path: Path) -> None:
    """See that it can be begun; a pipe would keep us waiting for its reader."""
    if path.is_fifo():
        raise RecordingError(path, "it is a pipe, in which nothing can go back", OTHER_FILE)
    try:
        path.open("wb").close()
    except OSError as error:
        raise RecordingError(path, *explained(error, path, OTHER_FILE)) from error


def _unrecorded(path: Path, error: soundfile.LibsndfileError) -> RecordingError:
    """Why the recording failed, in the system's words where it is to blame."""
    refused = refused_write(path)
    if refused is not None:
        return RecordingError(path, *explained(refused, path, OTHER_FILE))
    return RecordingError(path, error.error_string, OTHER_FILE)

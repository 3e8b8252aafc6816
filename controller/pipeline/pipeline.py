"""The built-in pipeline: streams in, stereo sound out, every block accounted for."""

from __future__ import annotations

import gc
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Self, cast

import numpy as np

from controller.executors.executor import Task
from controller.pipeline import companions, parts
from controller.pipeline.block_outcomes import Playout
from controller.pipeline.companion_group import CompanionGroup
from controller.pipeline.files import ORPHAN_SUMMARY
from controller.pipeline.latency_statistics import BatchStatistics, LatencyHistogram, MissTimeline
from controller.pipeline.live_streams import LiveStreams
from controller.pipeline.recording import Recording
from controller.pipeline.server import Reply, Request, Server
from controller.pipeline.spec import COMPANIONS, PipelineSpec
from controller.plain_json import to_plain
from policies.knobs import KnobValue
from policies.observation import BlockCounts

TURN_S = 0.02


class Pipeline:
    """Owns the executor and everything beside it; answers its controller between turns."""

    def __init__(self, spec: PipelineSpec, directory: Path) -> None:
        self._spec = spec
        self._directory = directory
        self._deaths: list[str] = []
        self._alarms: list[str] = []
        bank, settings = parts.sound_bank(spec), parts.workload_settings(spec)
        self._executor = parts.executor(spec, settings, bank, self._alarms.append)
        self._found = self._executor.in_force()
        workloads = parts.companion_workloads(spec, settings, bank)
        self._recording = self._record(spec)
        self._server = Server(directory)
        self._timetable = parts.timetable(spec)  # last: compiling would use up its lead
        hear = None if self._recording is None else self._recording.write
        self._playout = Playout(self._timetable, spec.slots, spec.period_frames, hear)
        self._streams = LiveStreams(self._executor, parts.trace(spec), spec.slots)
        self._companions = CompanionGroup(spec, self._executor, workloads, bank, self._timetable)
        self._interval = LatencyHistogram(), BatchStatistics()
        self._latency = LatencyHistogram()
        self._misses = MissTimeline(spec.period_frames / spec.sample_rate_hz)
        self._reported = BlockCounts()
        self._stress_started_s: float | None = None
        self._stream_seconds = 0.0
        self._elapsed_s = 0.0
        self._audio_cpu_ns = 0
        self._report_due_ns: int | None = None
        self._stopping = False

    @property
    def _blocks(self) -> int:
        return int(self._spec.duration_s * 1e9 / self._spec.period_ns)

    def start(self) -> None:
        """Start every process; streams come once the workers are at work."""
        gc.collect()
        gc.freeze()  # or the first collection in each child would copy every page
        self._executor.start(self._timetable)
        self._companions.start(self._directory)

    def run(self) -> None:
        """Play to the end of the duration, or until told to stop."""
        while not self._stopping and self._playout.next_block < self._blocks:
            self._await_turn()
            self._turn()
            self._report()
        self._await_farewell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End every process and finish the recording."""
        self._executor.close()
        self._server.close()
        if self._recording is not None:
            self._recording.close()

    def _await_turn(self) -> None:
        """Wait until somebody speaks or it is time; see to the workers whenever one is lost."""
        until_s = time.monotonic() + TURN_S
        has_spoken = False
        while not has_spoken and (left_s := until_s - time.monotonic()) > 0:
            others = self._executor.descriptors()
            has_spoken = self._server.serve(left_s, self._answer, others)
            self._replace_ended()

    def _turn(self) -> None:
        elapsed_s = (time.monotonic_ns() - self._timetable.start_ns) / 1e9
        self._stream_seconds += self._streams.count * max(0.0, elapsed_s - self._elapsed_s)
        self._elapsed_s = max(0.0, elapsed_s)
        self._account()
        self._tell_takeovers()
        self._disturb()
        self._companions.keep_reserve(self._elapsed_s, self._audio_cpu_ns)
        self._audio_cpu_ns = 0
        if self._executor.is_ready and self._elapsed_s < self._spec.duration_s:
            self._streams.follow(self._elapsed_s)
        if (assignment := self._executor.advance()) is not None:
            self._playout.assign(assignment)

    def _account(self) -> None:
        latency, batches = self._interval
        for finished in self._executor.read():
            self._playout.collect(finished)
            batches.add(finished.batches)
            self._audio_cpu_ns += int(finished.batches["cpu_ns"].sum())
        for settled in self._playout.settle(time.monotonic_ns(), self._blocks):
            latency.add(settled.latency_ns)
            self._latency.add(settled.latency_ns)
            self._misses.add(settled)

    def _disturb(self) -> None:
        due = self._spec.stress and self._elapsed_s >= self._spec.stress_after_s
        if not due or self._stress_started_s is not None:
            return
        self._stress_started_s = self._elapsed_s
        for number in range(self._spec.stress):
            task = Task("background", f"km-stress-{number}", run=companions.disturb)
            self._executor.schedule_task(task)

    def _replace_ended(self) -> None:
        """Note who has ended: the executor replaces its workers, and companions start anew."""
        for process in self._executor.reap():
            self._deaths.append(process.name)
            self._alarms.append(f"{process.name} ended unexpectedly and was replaced")
            self._companions.restart(process)

    def _tell_takeovers(self) -> None:
        for each in self._executor.takeovers():
            self._alarms.append(
                f"worker {each.heir} took over shard {each.shard} of worker {each.lost} in "
                f"{each.failover_ms:.1f} ms: {each.resent} blocks sent again, {each.replayed} "
                f"replayed, epoch {each.epoch}"
            )

    def _record(self, spec: PipelineSpec) -> Recording | None:
        if spec.record is None:
            return None
        return Recording(spec.record, spec.sample_rate_hz, self._alarms.append)

    # what the controller may ask

    def _report(self) -> None:
        """Send the report that was ordered, once it is due."""
        if self._report_due_ns is not None and time.monotonic_ns() >= self._report_due_ns:
            self._report_due_ns = None
            self._server.send({"report": self._observation()})

    def _answer(self, request: Request) -> Reply | None:
        match request.get("do"):
            case "hello":
                return self._introduction()
            case "observe":
                self._report_due_ns = None
                return self._observation()
            case "report":
                self._report_due_ns = cast(int, request["due_ns"])
                return None
            case "set":
                return self._set(str(request["knob"]), cast(KnobValue, request["value"]))
            case "budget":
                return self._set_budget(str(request["work"]), cast(float, request["share"]))
            case "summary":
                return self.summary()
            case "stop":
                self._stopping = True
                return {}
            case other:
                return {"error": f"unknown request {other!r}"}

    def _introduction(self) -> Reply:
        return {
            "pid": os.getpid(),
            "spec": self._spec.model_dump(mode="json"),
            "knobs": to_plain(self._executor.knobs()),
            "found": to_plain(dict(self._found)),
        }

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
            "knobs": to_plain(self._executor.knobs()),
            "settings": to_plain(dict(self._executor.in_force())),
            "readings": to_plain({**self._executor.readings(), **self._playout.readings()}),
            "processes": dict(self._executor.processes()),
            "round_ms": self._companions.round_ms(),
            "deaths": self._deaths,
            "stress": self._stress_started_s is not None,
        }

    def _set(self, knob: str, value: KnobValue) -> Reply:
        refusal = self._executor.apply(knob, value)
        return {} if refusal is None else {"error": refusal.reason}

    def _set_budget(self, work: str, share: float) -> Reply:
        if work not in COMPANIONS:
            return {"error": f"no companion does {work}"}
        self._companions.set_budget(work, share)
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
            "rounds": self._companions.rounds(),
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
            with suppress(FileNotFoundError):  # the folder was deleted: nobody will look there
                (self._directory / ORPHAN_SUMMARY).write_text(text, encoding="utf-8")


def _plain(counts: BlockCounts) -> dict[str, int]:
    return {
        "on_time": counts.on_time,
        "late": counts.late,
        "concealed": counts.concealed,
        "lost": counts.lost,
    }

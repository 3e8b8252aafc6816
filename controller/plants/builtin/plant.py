"""The built-in audio pipeline as a plant."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from controller.clock import Clock
from controller.errors import PlantError
from controller.linux import scheduling
from controller.linux.permissions import Permissions
from controller.linux.process_id import ticks_since_boot
from controller.pipeline.files import LOG_NAME
from controller.pipeline.spec import COMPANIONS, PipelineSpec
from controller.plain_json import JsonValue, from_plain
from controller.plants.builtin.connection import Connection
from controller.plants.programs.processes import identified
from controller.plants.threads.actuator import ThreadClassActuator
from controller.plants.threads.knob import KNOB
from controller.sensors.cpu import MachineSensor, ThreadSensor
from controller.sensors.gpu.sensor import GpuSensor
from controller.watchdog.lease import Lease
from policies.knobs import (
    AnyThreadClasses,
    Knob,
    KnobValue,
    Settings,
    ThreadClass,
    ThreadClasses,
)
from policies.observation import (
    BlockCounts,
    Missing,
    Observation,
    Quantiles,
    Reading,
    StageTimes,
    Stale,
    Value,
    reading,
)
from policies.proposal import Refusal

REPORT_LEAD_S = 0.05
"""Seconds before a tick at which the pipeline reports: a few of its turns, so that none waits."""
AS_OF_NOW = ("made_ns", "finished", "load", "knobs", "settings", "readings", "processes")
"""Fields of a report that tell of the moment it is made; the others tell of the interval before."""
QUESTIONS_AT_MOST = 20
"""Times that a pipeline is asked for what cannot be done without."""


class BuiltinPlant:
    """Watches and turns a pipeline that runs as a process of its own, and outlives this one.

    `gpu` reads the device that the pipeline renders on, where it renders on one, and is closed
    with the plant. Raises PlantError from the constructor, `observe` and `apply` once the
    pipeline is gone.
    """

    name = "builtin"

    def __init__(
        self,
        directory: Path,
        spec: PipelineSpec,
        clock: Clock,
        lease: Lease,
        permissions: Permissions,
        interval_s: float = 1.0,
        how_it_ended: Callable[[], str] | None = None,
        gpu: GpuSensor | None = None,
    ) -> None:
        self._spec = spec
        self._how_it_ended = how_it_ended
        self._clock = clock
        self._connection = Connection(directory)
        found = ThreadClasses(
            audio=ThreadClass(share=spec.audio_share),
            analysis=ThreadClass(share=spec.analysis_share),
            visualisation=ThreadClass(share=spec.visualisation_share),
        )
        self._actuator = ThreadClassActuator(lease, found)
        self._permissions = permissions
        self._interval_s = interval_s
        self._machine = MachineSensor()
        self._threads = ThreadSensor()
        self._gpu = gpu
        self._last: dict[str, Any] = {}
        self._last_at_s = clock.now_s()
        self._finished = False
        self._threads_seen: dict[str, list[scheduling.ThreadId]] = {}
        introduction = self._insist("hello")
        self._found: Mapping[str, KnobValue] = introduction["found"]
        self._told: JsonValue = introduction["knobs"]
        self._executor_knobs: Mapping[str, Knob] = from_plain(self._told, Mapping[str, Knob])

    def knobs(self) -> Mapping[str, Knob]:
        """How the pipeline's threads are scheduled, and what its executor brings."""
        classes = AnyThreadClasses(
            realtime=self._permissions.realtime,
            nice=self._permissions.nice,
            priority_max=self._permissions.priority_max,
            cpus=frozenset(os.sched_getaffinity(0)),
            demotion=self._permissions.demotion,
        )
        threads = Knob(KNOB, classes, "cpu", settle_s=2.0, undone=self._actuator.undone)
        return {KNOB: threads, **self._executor_knobs}

    def observe(self) -> Observation:
        """The interval since the last call; all readings are missing where it does not answer."""
        self._actuator.renew()
        reply = self._report()
        now_s = self._clock.now_s()
        if reply is not None:
            now_s -= (time.monotonic_ns() - reply["made_ns"]) / 1e9
        interval_s = now_s - self._last_at_s
        if reply is None:
            age_s = now_s - self._last_at_s
            load = self._last.get("load")
            silent: Reading = Missing("the pipeline did not answer in time")
            return Observation(now_s, interval_s, silent if load is None else Stale(load, age_s))
        self._last, self._last_at_s = reply, now_s
        self._finished = bool(reply["finished"])
        self._take_knobs(reply["knobs"])
        self._threads_seen = self._class_threads(reply)
        self._actuator.reconcile(self._threads_seen)
        return Observation(
            time_s=now_s,
            interval_s=interval_s,
            load=reading(reply["load"], minimum=0.0),
            blocks=BlockCounts(**reply["blocks"]),
            latency=_quantiles(reply["latency_ms"]),
            stages=_stages(reply.get("stages", {})),
            readings=MappingProxyType(self._readings(reply)),
            events=() if self._gpu is None else self._gpu.take_events(),
        )

    def in_force(self) -> Settings:
        """Values in force, as the pipeline and the kernel tell them."""
        values: dict[str, KnobValue] = dict(self._last.get("settings", {}))
        classes = self._actuator.in_force(self._threads_seen)
        if classes is not None:
            values[KNOB] = classes
        return Settings.of(values)

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Turn one knob; no block is dropped by it."""
        if knob == KNOB and isinstance(value, ThreadClasses):
            return self._apply_classes(value)
        if knob not in self._found:
            return Refusal(knob, f"no such knob, or none that takes {value!r}")
        domain = self.knobs()[knob].domain
        if not domain.allows(value):
            return Refusal(knob, f"{value} is not allowed: {domain}")
        reply = self._ask("set", knob=knob, value=value)
        if reply is None:
            return Refusal(knob, "the pipeline did not answer in time")
        return Refusal(knob, str(reply["error"])) if "error" in reply else None

    def restore(self, knob: str) -> Refusal | None:
        """Restore what the pipeline started with."""
        if knob == KNOB:
            self._actuator.restore()
            return None
        if knob not in self._found:
            return Refusal(knob, "no such knob")
        return self.apply(knob, self._found[knob])

    def finished(self) -> bool:
        """Whether the pipeline has played its last block."""
        return self._finished

    def summary(self) -> dict[str, Any]:
        """The pipeline's own figures of the whole run. Raises PlantError where it is gone."""
        return self._insist("summary")

    def close(self) -> None:
        """Restore the scheduling of every thread, and end the pipeline."""
        self._actuator.restore()
        if self._gpu is not None:
            self._gpu.close()
        with contextlib.suppress(ConnectionError):  # then it has ended already
            self._connection.ask("stop")
        self._connection.close()

    def _report(self) -> dict[str, Any] | None:
        """The report ordered at the last tick, or else one that is asked for now.

        Orders the next. To ask and wait would cost a tick two switches of processes, each of
        which may take milliseconds on a busy machine.
        """
        report = self._connection.take_report() or self._asked_for()
        if report is not None:
            lead_s = min(REPORT_LEAD_S, self._interval_s / 2)
            due_ns = time.monotonic_ns() + int(1e9 * (self._interval_s - lead_s))
            with self._explained():
                self._connection.order_report(due_ns)
        return report

    def _asked_for(self) -> dict[str, Any] | None:
        """A report that is asked for now, joined to the ordered one where that was on its way."""
        answer = self._ask("observe")
        crossed = self._connection.take_report()
        if answer is None or crossed is None:
            return answer
        earlier: dict[str, int] = crossed["blocks"]
        blocks = {outcome: count + earlier[outcome] for outcome, count in answer["blocks"].items()}
        return {**crossed, **{name: answer[name] for name in AS_OF_NOW}, "blocks": blocks}

    def _take_knobs(self, told: JsonValue) -> None:
        """Know what can be turned now; what is told again unchanged is known already."""
        if told != self._told:
            self._told, self._executor_knobs = told, from_plain(told, Mapping[str, Knob])

    def _apply_classes(self, value: ThreadClasses) -> Refusal | None:
        refusal = self._actuator.apply(value, self._threads_seen)
        for work in COMPANIONS:
            share = getattr(value, work).share
            if share is not None:
                self._ask("budget", work=work, share=share)
        return None if refusal is None else Refusal(KNOB, refusal)

    def _class_threads(self, reply: dict[str, Any]) -> dict[str, list[scheduling.ThreadId]]:
        """The threads of each class, of processes that had begun when the pipeline told of them."""
        told_at = ticks_since_boot((time.monotonic_ns() - reply["made_ns"]) / 1e9)
        processes: dict[str, list[int]] = reply["processes"]
        return {
            name: [
                thread
                for each in identified(pids)
                if each.start_time <= told_at
                for thread in scheduling.threads_of(each)
            ]
            for name, pids in processes.items()
        }

    def _readings(self, reply: dict[str, Any]) -> dict[str, Reading]:
        readings = dict(self._machine.read())
        readings |= self._threads.read(reply["processes"].get("audio", []))
        for name in ("queue_share", "service_inflation", "cpu_ms_per_block"):
            readings[f"audio.{name}"] = reading(reply.get(name))
        for work_class, name in (("analysis", "round_ms"), ("visualisation", "picture_ms")):
            readings[f"{work_class}.{name}"] = reading(reply["round_ms"].get(work_class))
        if self._gpu is not None:
            readings |= self._gpu.read()
            missed = BlockCounts(**reply["blocks"]).missed
            self._gpu.suspect(missed, self._spec.period_ns / 1e9)
        if reply["readings"]:
            readings |= from_plain(reply["readings"], Mapping[str, Reading])
        return readings

    def _insist(self, do: str) -> dict[str, Any]:
        """An answer that cannot be done without. Raises PlantError where none comes."""
        for _ in range(QUESTIONS_AT_MOST):
            if (reply := self._ask(do)) is not None:
                return reply
        raise PlantError(self.name, "the pipeline does not answer", "see its log")

    def _ask(self, do: str, **details: object) -> dict[str, Any] | None:
        with self._explained():
            return self._connection.ask(do, **details)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ConnectionError as error:
            remedy = f"see {LOG_NAME} in the state directory, and start again"
            told = "" if self._how_it_ended is None else f" ({self._how_it_ended()})"
            why = f"the pipeline has ended unexpectedly{told}"
            raise PlantError(self.name, why, remedy) from error


def _quantiles(figures: Mapping[str, float | None]) -> Quantiles:
    return Quantiles(*(_or_missing(figures.get(p)) for p in ("p50", "p95", "p99", "max")))


def _or_missing(figure: float | None) -> Reading:
    return Missing("no block was finished") if figure is None else Value(figure)


def _stages(figures: Mapping[str, Any]) -> Mapping[str, StageTimes]:
    return MappingProxyType(
        {
            name: StageTimes(
                _quantiles(times.get("start_lateness", {})),
                _quantiles(times.get("service_time", {})),
            )
            for name, times in figures.items()
        }
    )

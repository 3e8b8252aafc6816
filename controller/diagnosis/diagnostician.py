"""Which resource holds the blocks up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from controller.config.config import ThresholdsSection
from controller.diagnosis.bottlenecks import find_cause
from controller.diagnosis.calibration_watch import CalibrationWatch
from controller.diagnosis.device_bottlenecks import device_memory_symptom
from controller.diagnosis.device_signs import DeviceSigns
from controller.diagnosis.signs import Signs
from policies.diagnosis import Bottleneck, Breach, Diagnosis
from policies.forecast import Forecast
from policies.knobs import Knob, SchedulingClass, Settings, ThreadClasses
from policies.latency import Calibration
from policies.objective import Objective
from policies.observation import Missing, Observation, Reading, fresh

SOUND = ("wait", "transfer_in", "compute", "post", "block")
"""Components whose breach concerns the sound itself; the others are reported beside it."""


class Diagnostician:
    """Holds latencies against their thresholds and finds what is behind a breach or a miss.

    With a calibration it also raises an alarm where what is seen is not what that predicts. The
    thresholds of the sound are stated for a deadline of `stated_for_ms`; on a plant that tells
    another, each is the same part of that.
    """

    def __init__(
        self,
        thresholds: ThresholdsSection,
        objective: Objective,
        calibration: Calibration | None = None,
        stated_for_ms: float | None = None,
    ) -> None:
        self._stated_for_ms = stated_for_ms or objective.deadline_ms
        self._watch = None
        if calibration is not None and calibration.bands:
            self._watch = CalibrationWatch(calibration)
        self._stated: Mapping[str, float] = thresholds.model_dump()
        self._thresholds: Mapping[str, float] = self._stated
        self._objective = objective
        self._worst_ms: dict[str, float] = {}

    def track_latency(self, component: str, value_ms: float) -> None:
        """Take a latency of a component; the worst until the next diagnosis counts.

        Raises ValueError for a component that has no threshold and for what is no number.
        """
        if component not in self._thresholds:
            known = ", ".join(self._thresholds)
            raise ValueError(f"component {component!r} has no threshold; those that have: {known}")
        if not math.isfinite(value_ms):
            raise ValueError(f"{component}: {value_ms} ms is no latency; leave out what is absent")
        self._worst_ms[component] = max(value_ms, self._worst_ms.get(component, 0.0))

    def diagnose(
        self,
        observation: Observation,
        forecast: Forecast | None,
        settings: Settings,
        knobs: Mapping[str, Knob],
    ) -> Diagnosis:
        """The bottleneck of this interval; NONE where nothing is missed and nothing breached."""
        del forecast
        if observation.no_deadline:
            self._worst_ms.clear()
            return Diagnosis(Bottleneck.NONE, observation.no_deadline)
        self._thresholds = self._for_deadline(observation.deadline_ms)
        for component, latency in _latencies(observation):
            value_ms = fresh(latency)
            if value_ms is not None:
                self.track_latency(component, value_ms)
        breaches = self._breaches()
        alarms = () if self._watch is None else self._watch.alarms(observation, settings)
        symptom = self._symptom(observation, breaches)
        if symptom is None:
            return Diagnosis(Bottleneck.NONE, _calm(observation), breaches=breaches, alarms=alarms)
        return self._explained(observation, settings, knobs, symptom, breaches, alarms)

    def _explained(
        self,
        observation: Observation,
        settings: Settings,
        knobs: Mapping[str, Knob],
        symptom: str,
        breaches: tuple[Breach, ...],
        alarms: tuple[str, ...],
    ) -> Diagnosis:
        """The cause of what is wrong, with its evidence and those of its knobs that are there."""
        signs = Signs.of(observation)
        deadline_ms = fresh(observation.get("audio.period_ms")) or self._objective.deadline_ms
        wait_limit_ms, realtime = self._thresholds["wait"], _is_realtime(settings)
        cause = find_cause(signs, deadline_ms, wait_limit_ms, breaches, symptom, realtime=realtime)
        helpful = tuple(knob for knob in cause.knobs if knob in knobs)
        summary = cause.summary
        if not helpful and cause.bottleneck is not Bottleneck.FREQUENCY:  # which names the remedy
            summary += "; this plant has no knob that helps"
        evidence = signs.evidence(deadline_ms, self._objective.target_miss_rate)
        return Diagnosis(cause.bottleneck, summary, evidence, breaches, helpful, alarms)

    def _for_deadline(self, deadline_ms: float | None) -> Mapping[str, float]:
        """The thresholds where a block has so long; None: as stated."""
        if deadline_ms is None:
            return self._stated
        part = deadline_ms / self._stated_for_ms
        return {
            name: limit_ms * part if name in SOUND else limit_ms
            for name, limit_ms in self._stated.items()
        }

    def _breaches(self) -> tuple[Breach, ...]:
        breaches = tuple(
            Breach(component, value_ms, self._thresholds[component])
            for component, value_ms in self._worst_ms.items()
            if value_ms > self._thresholds[component]
        )
        self._worst_ms.clear()
        return breaches

    def _symptom(self, seen: Observation, breaches: tuple[Breach, ...]) -> str | None:
        """The symptom that the sound shows, or soon will; None where it shows none."""
        miss_rate = fresh(seen.miss_rate) or 0.0
        if miss_rate > self._objective.target_miss_rate:
            return f"{miss_rate:.2%} of the blocks missed"
        early = [str(breach) for breach in breaches if breach.component in SOUND]
        return ", ".join(early) or device_memory_symptom(DeviceSigns.of(seen))


def _is_realtime(settings: Settings) -> bool:
    classes = settings.get("thread_classes")
    return (
        isinstance(classes, ThreadClasses) and classes.audio.scheduling is SchedulingClass.REALTIME
    )


def _latencies(seen: Observation) -> Iterator[tuple[str, Reading]]:
    """The latencies an observation carries, by the component whose threshold they meet."""
    for name, times in seen.stages.items():
        stage = times.start_lateness if name == "wait" else times.service_time
        if name in SOUND:
            yield name, stage.p99_ms
    yield "wait", seen.get("audio.run_delay_per_wake_ms")
    yield "block", seen.latency.p99_ms
    yield "analysis", seen.get("analysis.round_ms")
    yield "visualisation", seen.get("visualisation.picture_ms")
    yield "tick", seen.get("control.tick_ms")


def _calm(seen: Observation) -> str:
    miss_rate, p99_ms = fresh(seen.miss_rate), fresh(seen.latency.p99_ms)
    if miss_rate is None:
        return _unmeasured(seen)
    if miss_rate > 0.0:
        return f"{miss_rate:.3%} missed, within the target"
    worst = "" if p99_ms is None else f"; 99 of 100 within {p99_ms:.2f} ms"
    return f"every block on time{worst}"


def _unmeasured(seen: Observation) -> str:
    """The summary where nobody counts blocks."""
    delay_ms = fresh(seen.get("audio.run_delay_per_wake_ms"))
    if delay_ms is not None:
        return f"audio threads run {delay_ms:.2f} ms after they wake; nobody counts blocks here"
    why = seen.load.reason if isinstance(seen.load, Missing) else "no block was reported"
    return f"nothing is known of this interval: {why}"

"""Which resource holds the blocks up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controller.config.config import ThresholdsSection
from controller.diagnosis.calibration_watch import CalibrationWatch
from policies.diagnosis import Bottleneck, Breach, Diagnosis, Evidence
from policies.forecast import Forecast
from policies.knobs import Knob, SchedulingClass, Settings, ThreadClasses
from policies.latency import Calibration
from policies.objective import Objective
from policies.observation import Missing, Observation, Reading, fresh

SOUND = ("wait", "transfer_in", "compute", "post", "block")
"""Components whose breach concerns the sound itself; the others are reported beside it."""

BUSY = 0.85
"""Share of its processor beyond which an audio thread has no reserve left."""
QUEUEING = 0.02
"""Share of blocks that had to wait for the block before."""
STOLEN = 0.01
"""Share of processor time taken by the hypervisor; at 1 % it can hold up a block every second."""
EXPLAINED = 0.5
"""Part of the worst delay that the time on a run queue must make up to be its cause."""
CROWDED = 0.1
"""Share of time in which threads wait for a processor, from which that can be the cause."""
INTERPRETER = 0.2
"""Share of the time another thread of its interpreter could run, from which audio waits for it."""
LOCKED_OUT = 0.5
"""The same, from which that explains what is missed whatever else is in the way."""
CAPACITY = ("batch_size", "nodes", "period_frames")
"""Knobs that make room for more work, the cheapest first."""
SLOW = 0.7
"""Part of its speed below which a processor that is short of time is slowed down."""
QUEUES_FROM = 0.5
"""Utilisation below which our own work cannot be what blocks wait for."""
LITTLE_TO_SPARE = 0.6
"""Part of the deadline that half of the blocks take where any hiccup makes one late."""
WORK = 0.8
"""Part of a batch's time that must be work of its own for the work to be what is too long."""


@dataclass(frozen=True, slots=True)
class _Signs:
    """The figures of one interval that a cause can be read from; None where there is none."""

    miss_rate: float | None
    missed: int
    worst_lateness_ms: float | None
    compute_ms: float | None
    busy: float | None
    waited_ms: float | None
    queued: float | None
    stolen: float | None
    stolen_ms: float | None
    pressure: float | None
    inflation: float | None
    cpu_ms: float | None
    interpreter: float | None
    speed: float | None
    laggard: float | None
    typical_ms: float | None

    @classmethod
    def of(cls, seen: Observation) -> _Signs:
        wait, compute = seen.stages.get("wait"), seen.stages.get("compute")
        run_delay = fresh(seen.get("audio.run_delay_share"))
        stolen = fresh(seen.get("cpu.steal_share"))
        return cls(
            miss_rate=fresh(seen.miss_rate),
            missed=0 if seen.blocks is None else seen.blocks.missed,
            worst_lateness_ms=None if wait is None else fresh(wait.start_lateness.max_ms),
            compute_ms=None if compute is None else fresh(compute.service_time.max_ms),
            busy=fresh(seen.get("audio.utilisation")),
            waited_ms=None if run_delay is None else run_delay * seen.interval_s * 1000.0,
            queued=fresh(seen.get("audio.queue_share")),
            stolen=stolen,
            stolen_ms=None if stolen is None else stolen * seen.interval_s * 1000.0,
            pressure=fresh(seen.get("cpu.pressure_some_share")),
            inflation=fresh(seen.get("audio.service_inflation")),
            interpreter=fresh(seen.get("audio.interpreter_share")),
            speed=fresh(seen.get("cpu.frequency_share")),
            laggard=fresh(seen.get("audio.laggard_utilisation")),
            cpu_ms=fresh(seen.get("audio.cpu_ms_per_block")),
            typical_ms=fresh(seen.latency.p50_ms),
        )

    @property
    def held_up_ms(self) -> float | None:
        """The longest that a thread was late to start, or in a batch and not at work."""
        idle_ms = None
        if self.compute_ms is not None and self.cpu_ms is not None:
            idle_ms = self.compute_ms - self.cpu_ms
        known = [each for each in (self.worst_lateness_ms, idle_ms) if each is not None]
        return max(known, default=None)

    def evidence(self, deadline_ms: float, target: float) -> tuple[Evidence, ...]:
        """What was measured, each figure with the limit it was held against."""
        figures = (
            ("missed", self.miss_rate, "of the blocks", target),
            ("worst start lateness", self.worst_lateness_ms, "ms", deadline_ms),
            ("audio thread busy", self.busy, "of a processor", BUSY),
            ("audio thread waited to run", self.waited_ms, "ms", None),
            ("blocks that waited for the one before", self.queued, "of all", QUEUEING),
            ("processor time stolen", self.stolen, "of all", STOLEN),
            ("threads waited for a processor", self.pressure, "of the time", CROWDED),
            ("service time, wall to processor", self.inflation, "times", None),
            ("work per block", self.cpu_ms, "ms", BUSY * deadline_ms),
            ("another thread of its interpreter", self.interpreter, "of the time", INTERPRETER),
            ("a program that does not keep time", self.laggard, "of a processor", BUSY),
            ("processor speed", self.speed, "of the highest", SLOW),
        )
        return tuple(
            Evidence(name, value, unit, limit)
            for name, value, unit, limit in figures
            if value is not None
        )


@dataclass(frozen=True, slots=True)
class _Cause:
    """A bottleneck, in words, and the knobs that ease it, cheapest first."""

    bottleneck: Bottleneck
    summary: str
    knobs: tuple[str, ...] = ()


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
        signs = _Signs.of(observation)
        deadline_ms = fresh(observation.get("audio.period_ms")) or self._objective.deadline_ms
        evidence = signs.evidence(deadline_ms, self._objective.target_miss_rate)
        classes = settings.get("thread_classes")
        realtime = (
            isinstance(classes, ThreadClasses)
            and classes.audio.scheduling is SchedulingClass.REALTIME
        )
        cause = self._cause(signs, deadline_ms, breaches, symptom, realtime=realtime)
        helpful = tuple(knob for knob in cause.knobs if knob in knobs)
        summary = cause.summary
        if not helpful and cause.bottleneck is not Bottleneck.FREQUENCY:  # which names the remedy
            summary += "; this plant has no knob that helps"
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
        """What is wrong with the sound, or soon will be; None where nothing is."""
        miss_rate = fresh(seen.miss_rate) or 0.0
        if miss_rate > self._objective.target_miss_rate:
            return f"{miss_rate:.2%} of the blocks missed"
        early = [str(breach) for breach in breaches if breach.component in SOUND]
        return ", ".join(early) or None

    def _cause(
        self,
        signs: _Signs,
        deadline_ms: float,
        breaches: tuple[Breach, ...],
        symptom: str,
        *,
        realtime: bool,
    ) -> _Cause:
        noticeable_ms = min(self._thresholds["wait"], EXPLAINED * deadline_ms)
        held_up_ms = _held_up_ms(signs, deadline_ms)
        preempted = None
        if _kept_waiting(signs, held_up_ms, noticeable_ms):
            preempted = _preemption(signs, deadline_ms, symptom, realtime=realtime)
        interpreter, stolen = _interpreter(signs, symptom), _steal(signs, held_up_ms, symptom)
        locked_out = interpreter if (signs.interpreter or 0.0) >= LOCKED_OUT else None
        return (
            _overload(signs, deadline_ms, breaches, symptom)
            or locked_out
            or (interpreter or stolen if realtime else None)
            or preempted
            or interpreter
            or _queueing(signs, deadline_ms, symptom)
            or _laggard(signs, symptom)
            or stolen
            or _little_to_spare(signs, deadline_ms, symptom)
            or _unknown(signs, symptom)
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
    """What is said where nobody counts blocks."""
    delay_ms = fresh(seen.get("audio.run_delay_per_wake_ms"))
    if delay_ms is not None:
        return f"audio threads run {delay_ms:.2f} ms after they wake; nobody counts blocks here"
    why = seen.load.reason if isinstance(seen.load, Missing) else "no block was reported"
    return f"nothing is known of this interval: {why}"


def _overload(
    signs: _Signs, deadline_ms: float, breaches: tuple[Breach, ...], symptom: str
) -> _Cause | None:
    """The work does not fit, or soon will not: most of a batch that takes too long is work."""
    batch_ms = next((each.value_ms for each in breaches if each.component == "compute"), None)
    if signs.busy is not None and signs.busy > BUSY:
        why = f"an audio thread is busy {signs.busy:.0%} of the time"
    elif signs.cpu_ms is None:
        return None
    elif signs.cpu_ms > BUSY * deadline_ms or (batch_ms and signs.cpu_ms >= WORK * batch_ms):
        why = f"a block takes {signs.cpu_ms:.2f} ms of work, and there are {deadline_ms:.2f} ms"
    else:
        return None
    if signs.speed is not None and signs.speed < SLOW:
        why += f", while the processors run at {signs.speed:.0%} of their speed"
        remedy = "set the frequency governor to performance, or see to the cooling"
        return _Cause(Bottleneck.FREQUENCY, f"{symptom}: {why}; {remedy}")
    return _Cause(Bottleneck.OVERLOAD, f"{symptom}: {why}", CAPACITY)


def _held_up_ms(signs: _Signs, deadline_ms: float) -> float:
    """How long blocks were held up.

    A plant without stages does not tell the worst delay: there each missed block is taken to
    have been held up by the time that it had to spare, for many short waits make none late.
    """
    if signs.held_up_ms is not None:
        return signs.held_up_ms
    spare_ms = deadline_ms * (1.0 - min(1.0, signs.busy or 0.0))
    return max(deadline_ms, signs.missed * spare_ms)


def _laggard(signs: _Signs, symptom: str) -> _Cause | None:
    """A program whose work does not fit never waits for a cycle: no thread of it seems to play."""
    if signs.laggard is None or signs.laggard <= BUSY:
        return None
    why = (
        f"a program in which no thread keeps time with the cycles runs {signs.laggard:.0%} of the "
        "time; if it plays, its work does not fit"
    )
    return _Cause(Bottleneck.OVERLOAD, f"{symptom}: {why}", CAPACITY)


def _kept_waiting(signs: _Signs, held_up_ms: float, noticeable_ms: float) -> bool:
    """Whether what held blocks up is time in which the thread could have run and did not.

    Where nobody accounts for run queues, a crowded machine is the evidence; without either
    there is none.
    """
    if held_up_ms <= noticeable_ms:
        return False
    if signs.waited_ms is None:
        return signs.pressure is not None and signs.pressure > CROWDED
    return signs.waited_ms >= EXPLAINED * held_up_ms


def _preemption(signs: _Signs, deadline_ms: float, symptom: str, *, realtime: bool) -> _Cause:
    """Others run first; if audio is real-time already, no priority changes that."""
    late = ""
    if signs.held_up_ms is not None:
        late = (
            f"blocks are held up for up to {signs.held_up_ms:.1f} ms "
            f"({deadline_ms:.1f} ms are allowed); "
        )
    waited = "while threads queue for the processors"
    if signs.waited_ms is not None:
        waited = f"audio could have run and waited {signs.waited_ms:.0f} ms"
    busy = "" if signs.busy is None else f" though it uses {signs.busy:.0%} of a processor"
    others = "other threads run first"
    if realtime:
        others = "its threads are real-time already, and wait for one another or for the kernel"
    why = f"{late}{waited}{busy}: {others}"
    return _Cause(Bottleneck.PREEMPTION, f"{symptom}: {why}", ("thread_classes", "period_frames"))


def _interpreter(signs: _Signs, symptom: str) -> _Cause | None:
    """The lock of an interpreter: only one of its threads runs, whatever their priorities."""
    if signs.interpreter is None or signs.interpreter < INTERPRETER:
        return None
    why = (
        f"another thread of the same interpreter runs or could {signs.interpreter:.0%} of the "
        "time and holds its lock, which no priority cures; a process of its own for audio would, "
        "and a longer period helps"
    )
    return _Cause(Bottleneck.GIL, f"{symptom}: {why}", ("period_frames",))


def _queueing(signs: _Signs, deadline_ms: float, symptom: str) -> _Cause | None:
    """Blocks that wait for the one before, where our own work is enough to be the reason."""
    busy = signs.busy
    if busy is None and signs.cpu_ms is not None:
        busy = signs.cpu_ms / deadline_ms
    if signs.queued is None or signs.queued <= QUEUEING or busy is None or busy < QUEUES_FROM:
        return None
    why = f"{signs.queued:.1%} of the blocks wait for the one before"
    return _Cause(Bottleneck.QUEUEING, f"{symptom}: {why}", ("batch_size", "nodes"))


def _steal(signs: _Signs, held_up_ms: float, symptom: str) -> _Cause | None:
    """Time that was stolen, enough of it to be the worst delay, or much of it at all."""
    if signs.stolen is None or signs.stolen_ms is None:
        return None
    if signs.stolen <= STOLEN and signs.stolen_ms < EXPLAINED * held_up_ms:
        return None
    why = (
        f"the hypervisor took {signs.stolen:.1%} of the processor time, at least "
        f"{signs.stolen_ms:.0f} ms"
    )
    return _Cause(Bottleneck.STEAL, f"{symptom}: {why}", ("period_frames",))


def _little_to_spare(signs: _Signs, deadline_ms: float, symptom: str) -> _Cause | None:
    """Where nobody accounts for run queues: even a block that nothing holds up is nearly late."""
    busy = signs.busy is not None and signs.busy >= QUEUES_FROM
    if signs.waited_ms is not None or not busy or signs.typical_ms is None:
        return None
    if signs.typical_ms <= LITTLE_TO_SPARE * deadline_ms:
        return None
    why = f"half of the blocks take {signs.typical_ms:.1f} ms or more of {deadline_ms:.1f} ms"
    return _Cause(Bottleneck.OVERLOAD, f"{symptom}: {why}", CAPACITY)


def _unknown(signs: _Signs, symptom: str) -> _Cause:
    """Late for no reason that is measured: an interpreter's lock, a device, a slow clock.

    Where nothing is measured at all, too much work is likely, and what eases that can be tried:
    each change is judged by what then is missed.
    """
    if signs.busy is None and signs.waited_ms is None and signs.cpu_ms is None:
        why = "nothing is known of its threads or its work; more capacity is worth a try"
        return _Cause(Bottleneck.UNKNOWN, f"{symptom}; {why}", CAPACITY)
    if signs.busy is None or signs.waited_ms is None:
        why = "too little is known of the audio threads to say why"
    else:
        why = (
            f"the audio threads are neither busy ({signs.busy:.0%}) nor kept from running "
            f"({signs.waited_ms:.1f} ms)"
        )
    return _Cause(Bottleneck.UNKNOWN, f"{symptom}; {why}", ("period_frames",))

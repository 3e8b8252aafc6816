"""Causes that hold blocks up: each bottleneck, how it shows, and the knobs that ease it."""

from __future__ import annotations

from controller.diagnosis.cause import CAPACITY, Cause
from controller.diagnosis.device_bottlenecks import find_device_cause
from controller.diagnosis.signs import (
    BUSY,
    CROWDED,
    INTERPRETER,
    QUEUEING,
    SLOW,
    STOLEN,
    Signs,
)
from policies.diagnosis import Bottleneck, Breach

EXPLAINED = 0.5
"""Part of the worst delay that the time on a run queue must make up to be its cause."""
LOCKED_OUT = 0.5
"""Share of the time another thread of its interpreter could run, from which that explains what is
missed whatever else is in the way."""
QUEUES_FROM = 0.5
"""Utilisation below which our own work cannot be what blocks wait for."""
LITTLE_TO_SPARE = 0.6
"""Part of the deadline that half of the blocks take where any hiccup makes one late."""
WORK = 0.8
"""Part of a batch's time that must be work of its own for the work to be what is too long."""


def find_cause(
    signs: Signs,
    deadline_ms: float,
    wait_limit_ms: float,
    breaches: tuple[Breach, ...],
    symptom: str,
    *,
    realtime: bool,
) -> Cause:
    """The likeliest cause, the surest signs asked first; UNKNOWN where none shows.

    `wait_limit_ms` is the start lateness that counts as a breach, `realtime` whether audio is
    scheduled so, in which case no priority is to blame.
    """
    held_up_ms = _held_up_ms(signs, deadline_ms)
    preempted = None
    if _kept_waiting(signs, held_up_ms, min(wait_limit_ms, EXPLAINED * deadline_ms)):
        preempted = _preemption(signs, deadline_ms, symptom, realtime=realtime)
    interpreter, stolen = _interpreter(signs, symptom), _steal(signs, held_up_ms, symptom)
    locked_out = interpreter if (signs.interpreter or 0.0) >= LOCKED_OUT else None
    return (
        find_device_cause(signs.device, breaches, symptom)
        or _overload(signs, deadline_ms, breaches, symptom)
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


def _overload(
    signs: Signs, deadline_ms: float, breaches: tuple[Breach, ...], symptom: str
) -> Cause | None:
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
        return Cause(Bottleneck.FREQUENCY, f"{symptom}: {why}; {remedy}")
    return Cause(Bottleneck.OVERLOAD, f"{symptom}: {why}", CAPACITY)


def _held_up_ms(signs: Signs, deadline_ms: float) -> float:
    """How long blocks were held up.

    A plant without stages does not tell the worst delay: there each missed block is taken to
    have been held up by the time that it had to spare, for many short waits make none late.
    """
    if signs.held_up_ms is not None:
        return signs.held_up_ms
    spare_ms = deadline_ms * (1.0 - min(1.0, signs.busy or 0.0))
    return max(deadline_ms, signs.missed * spare_ms)


def _laggard(signs: Signs, symptom: str) -> Cause | None:
    """A program whose work does not fit never waits for a cycle: no thread of it seems to play."""
    if signs.laggard is None or signs.laggard <= BUSY:
        return None
    why = (
        f"a program in which no thread keeps time with the cycles runs {signs.laggard:.0%} of the "
        "time; if it plays, its work does not fit"
    )
    return Cause(Bottleneck.OVERLOAD, f"{symptom}: {why}", CAPACITY)


def _kept_waiting(signs: Signs, held_up_ms: float, noticeable_ms: float) -> bool:
    """Whether what held blocks up is time in which the thread could have run and did not.

    Where nobody accounts for run queues, a crowded machine is the evidence; without either
    there is none.
    """
    if held_up_ms <= noticeable_ms:
        return False
    if signs.waited_ms is None:
        return signs.pressure is not None and signs.pressure > CROWDED
    return signs.waited_ms >= EXPLAINED * held_up_ms


def _preemption(signs: Signs, deadline_ms: float, symptom: str, *, realtime: bool) -> Cause:
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
    return Cause(Bottleneck.PREEMPTION, f"{symptom}: {why}", ("thread_classes", "period_frames"))


def _interpreter(signs: Signs, symptom: str) -> Cause | None:
    """The lock of an interpreter: only one of its threads runs, whatever their priorities."""
    if signs.interpreter is None or signs.interpreter < INTERPRETER:
        return None
    why = (
        f"another thread of the same interpreter runs or could {signs.interpreter:.0%} of the "
        "time and holds its lock, which no priority cures; a process of its own for audio would, "
        "and a longer period helps"
    )
    return Cause(Bottleneck.GIL, f"{symptom}: {why}", ("period_frames",))


def _queueing(signs: Signs, deadline_ms: float, symptom: str) -> Cause | None:
    """Blocks that wait for the one before, where our own work is enough to be the reason."""
    busy = signs.busy
    if busy is None and signs.cpu_ms is not None:
        busy = signs.cpu_ms / deadline_ms
    if signs.queued is None or signs.queued <= QUEUEING or busy is None or busy < QUEUES_FROM:
        return None
    why = f"{signs.queued:.1%} of the blocks wait for the one before"
    return Cause(Bottleneck.QUEUEING, f"{symptom}: {why}", ("batch_size", "nodes"))


def _steal(signs: Signs, held_up_ms: float, symptom: str) -> Cause | None:
    """Time that was stolen, enough of it to be the worst delay, or much of it at all."""
    if signs.stolen is None or signs.stolen_ms is None:
        return None
    if signs.stolen <= STOLEN and signs.stolen_ms < EXPLAINED * held_up_ms:
        return None
    why = (
        f"the hypervisor took {signs.stolen:.1%} of the processor time, at least "
        f"{signs.stolen_ms:.0f} ms"
    )
    return Cause(Bottleneck.STEAL, f"{symptom}: {why}", ("period_frames",))


def _little_to_spare(signs: Signs, deadline_ms: float, symptom: str) -> Cause | None:
    """Where nobody accounts for run queues: even a block that nothing holds up is nearly late."""
    busy = signs.busy is not None and signs.busy >= QUEUES_FROM
    if signs.waited_ms is not None or not busy or signs.typical_ms is None:
        return None
    if signs.typical_ms <= LITTLE_TO_SPARE * deadline_ms:
        return None
    why = f"half of the blocks take {signs.typical_ms:.1f} ms or more of {deadline_ms:.1f} ms"
    return Cause(Bottleneck.OVERLOAD, f"{symptom}: {why}", CAPACITY)


def _unknown(signs: Signs, symptom: str) -> Cause:
    """Late for no reason that is measured: an interpreter's lock, a device, a slow clock.

    Where nothing is measured at all, too much work is likely, and what eases that can be tried:
    each change is judged by what then is missed.
    """
    if signs.busy is None and signs.waited_ms is None and signs.cpu_ms is None:
        why = "nothing is known of its threads or its work; more capacity is worth a try"
        return Cause(Bottleneck.UNKNOWN, f"{symptom}; {why}", CAPACITY)
    if signs.busy is None or signs.waited_ms is None:
        why = "too little is known of the audio threads to say why"
    else:
        why = (
            f"the audio threads are neither busy ({signs.busy:.0%}) nor kept from running "
            f"({signs.waited_ms:.1f} ms)"
        )
    return Cause(Bottleneck.UNKNOWN, f"{symptom}; {why}", ("period_frames",))

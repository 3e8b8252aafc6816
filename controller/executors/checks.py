"""Conformance checks of the executor contract, to run on an executor of one's own.

    from controller.executors.checks import CHECKS, check

    @pytest.mark.parametrize("name", CHECKS)
    def test_mine(name):
        check(name, Mine)

Each check has the executor play noise on real time, in a few seconds. One that renders by a clock
of its own is checked on that: `check(name, Mine, clock)`.
"""

from __future__ import annotations

import json
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import numpy as np

from controller import plugins
from controller.errors import ExecutorError, ThreadGoneError
from controller.executors.executor import Task
from controller.executors.trial import (
    BLOCKS_IN_WORK,
    SLOTS,
    ExecutorFault,
    MakeExecutor,
    MonotonicTime,
    Time,
    Trial,
)
from controller.linux.process_id import identify_process, kill
from controller.plain_json import from_plain, to_plain
from policies.knobs import Bounds, Choice, Knob, KnobValue
from policies.observation import Reading

STREAMS = 9
APPLY_S = 0.05
"""Seconds that a request may take, as the least of three."""
WAKING_S = 5.0
"""Seconds within which the end of a process must be told by a descriptor."""
LATENCY_BLOCKS = 5
"""Blocks that may be under way."""
TOLERANCE = 1e-4
"""Difference in sound that counts as none, of samples whose full scale is 1."""
MONOTONIC = MonotonicTime()


def check(name: str, make: MakeExecutor, clock: Time = MONOTONIC) -> None:
    """Run one check. Raises ExecutorFault, which says what is wrong with the executor."""
    CHECKS[name](make, clock)


def check_all(make: MakeExecutor, clock: Time = MONOTONIC) -> None:
    """Run all checks."""
    for name in CHECKS:
        check(name, make, clock)


def introduces_itself(make: MakeExecutor, clock: Time) -> None:
    """Knobs have the values in force; they and the readings reach the controller whole."""
    with Trial(make, clock) as trial:
        for is_started in (False, True):
            if is_started:
                trial.start(STREAMS)
            _check_told(trial)


def counts_add_up(make: MakeExecutor, clock: Time) -> None:
    """While streams come and go, each block of each is rendered once, and none is absent."""
    with Trial(make, clock) as trial:
        trial.start(STREAMS)
        trial.executor.release(0)
        trial.executor.release(5)
        trial.settle()
        trial.admit((5, SLOTS - 1))
        trial.settle()
        counts = trial.counts(range(trial.block))
        if counts.absent:
            raise ExecutorFault(f"streams come and go, and the account says {counts}")
        if not counts.submitted:
            raise ExecutorFault("no block was ever submitted")


def turns_without_loss(make: MakeExecutor, clock: Time) -> None:
    """No block is lost by the change of a knob, to any value and back."""
    with Trial(make, clock) as trial:
        trial.start(STREAMS)
        _turn_all(trial)
        counts = trial.counts(range(trial.block))
        if counts.absent:
            raise ExecutorFault(f"knobs are turned, and the account says {counts}")


def remembers(make: MakeExecutor, clock: Time) -> None:
    """Streams of every workload sound, wherever they move, as if they had never moved."""
    for workload in plugins.names("workloads"):
        with Trial(make, clock, workload) as moved, Trial(make, clock, workload) as still:
            moved.start(STREAMS)
            _turn_all(moved)
            last = moved.block
            moved.counts(range(last))
            still.start(STREAMS)
            still.play(max(0, last - still.block))
            still.counts(range(last))
            _compare(moved, still, last, f"once its streams have moved, with {workload}")


def answers_at_once(make: MakeExecutor, clock: Time) -> None:
    """A request for a value takes no time, whatever it starts."""
    with Trial(make, clock) as trial:
        trial.start(STREAMS)
        for knob, values in _values(trial.executor.knobs()):
            for value in values:
                took_s = min(_apply_s(trial, knob, value) for _ in range(3))
                if took_s > APPLY_S:
                    raise ExecutorFault(f"{knob} {value} is taken after {took_s:.3f} s")


def refuses_what_cannot_be(make: MakeExecutor, clock: Time) -> None:
    """Values and tasks that cannot be are refused, each in its way, and change nothing."""
    with Trial(make, clock) as trial:
        _expect_error(trial, Task("audio", "early", slot=0), "before the start")
        trial.start(STREAMS)
        _expect_error(trial, Task("audio", "nothing"), "without a slot")
        _expect_error(trial, Task("audio", "beyond", slot=SLOTS), "with a slot beyond the last")
        _expect_error(trial, Task("audio", "below", slot=-1), "with a slot below the first")
        before = trial.executor.in_force()
        for knob in ("no such knob", *trial.executor.knobs()):
            if trial.executor.apply(knob, "no such value") is None:
                raise ExecutorFault(f"{knob} takes 'no such value'")
        trial.settle()
        if trial.executor.in_force() != before:
            raise ExecutorFault("a refused value came into force")


def survives_a_death(make: MakeExecutor, clock: Time) -> None:
    """Whichever process is killed, its end is told once, and all streams play on."""
    with Trial(make, clock) as trial:
        trial.start(STREAMS)
        for pid in trial.executor.processes().get("audio", ()):
            _kill(trial, pid)
            trial.play(BLOCKS_IN_WORK + LATENCY_BLOCKS)
            trial.wait_for(
                lambda: trial.is_whole(_latest(trial)), f"not all play on without process {pid}"
            )
            if [process.pid for process in trial.ended].count(pid) != 1:
                raise ExecutorFault(f"the end of process {pid} was not told once")


def loses_nothing_at_a_death(make: MakeExecutor, clock: Time) -> None:
    """Whichever of its processes is killed, every block is there, and sounds as undisturbed."""
    with Trial(make, clock) as struck, Trial(make, clock) as still:
        struck.start(STREAMS)
        for pid in struck.executor.processes().get("audio", ()):
            _kill(struck, pid)
            struck.play(BLOCKS_IN_WORK)
        last = struck.block
        counts = struck.counts(range(last))
        if counts.absent:
            raise ExecutorFault(f"processes are killed, and the account says {counts}")
        still.start(STREAMS)
        still.play(max(0, last - still.block))
        still.counts(range(last))
        _compare(struck, still, last, "once a process was killed")


def closes_on_every_route(make: MakeExecutor, clock: Time) -> None:
    """No process is left once closed: before a start, at play, after a death, and closed again."""
    for route in (_not_started, _at_play, _after_a_death):
        with Trial(make, clock) as trial:
            route(trial)
            pids = [pid for each in trial.executor.processes().values() for pid in each]
            trial.executor.close()
            left = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
            if left or any(trial.executor.processes().values()):
                raise ExecutorFault(f"closed {route.__name__.strip('_')}, it leaves {left}")
            if trial.executor.advance() is not None or trial.executor.read():
                raise ExecutorFault("it goes on when it is closed")
            trial.executor.close()


CHECKS: Mapping[str, Callable[[MakeExecutor, Time], None]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            introduces_itself,
            counts_add_up,
            turns_without_loss,
            remembers,
            answers_at_once,
            refuses_what_cannot_be,
            survives_a_death,
            loses_nothing_at_a_death,
            closes_on_every_route,
        )
    }
)


def _check_told(trial: Trial) -> None:
    knobs, in_force = trial.executor.knobs(), trial.executor.in_force()
    if set(knobs) != set(in_force):
        raise ExecutorFault(f"its knobs are {set(knobs)}, and in force are {set(in_force)}")
    for knob, value in in_force.items():
        if knobs[knob].id != knob or not knobs[knob].domain.allows(value):
            raise ExecutorFault(f"{knob} is {value}, which cannot be: {knobs[knob]}")
    _check_crosses(knobs, Mapping[str, Knob])
    _check_crosses(trial.executor.readings(), Mapping[str, Reading])


def _check_crosses(told: Mapping[str, object], kind: object) -> None:
    crossed = from_plain(json.loads(json.dumps(to_plain(told), allow_nan=False)), kind)
    if crossed != told:
        raise ExecutorFault(f"{told} reaches the controller as {crossed}")


def _turn_all(trial: Trial) -> None:
    """Turn each knob through some of its values, and back to where it was."""
    for knob, values in _values(trial.executor.knobs()):
        before = trial.executor.in_force()[knob]
        for value in (*values, before):
            trial.turn(knob, value)


def _values(knobs: Mapping[str, Knob]) -> list[tuple[str, tuple[KnobValue, ...]]]:
    """Values of each knob that can be turned: the ends of its bounds, the ends of its choice."""
    found: list[tuple[str, tuple[KnobValue, ...]]] = []
    for name, knob in knobs.items():
        if isinstance(knob.domain, Bounds) and not knob.obstacle:
            found.append((name, (knob.domain.high, knob.domain.low)))
        elif isinstance(knob.domain, Choice) and not knob.obstacle:
            found.append((name, (knob.domain.values[0], knob.domain.values[-1])))
    return found


def _apply_s(trial: Trial, knob: str, value: KnobValue) -> float:
    started_s = time.perf_counter()
    trial.executor.apply(knob, value)
    return time.perf_counter() - started_s


def _expect_error(trial: Trial, task: Task, when: str) -> None:
    try:
        placement = trial.executor.schedule_task(task)
    except ExecutorError:
        return
    except Exception as error:
        raise ExecutorFault(f"a task {when} raises {error!r}, not an ExecutorError") from error
    raise ExecutorFault(f"a task {when} is placed: {placement}")


def _latest(trial: Trial) -> range:
    """The latest blocks that should be there."""
    last = trial.block - LATENCY_BLOCKS
    return range(last - BLOCKS_IN_WORK, last)


def _compare(changed: Trial, still: Trial, last: int, when: str) -> None:
    """See that the blocks in which both play the same streams sound the same."""
    for block in range(max(changed.steady_from, still.steady_from), last):
        apart = float(np.abs(changed.mix[block] - still.mix[block]).max())
        if apart > TOLERANCE:
            raise ExecutorFault(f"block {block} differs by {apart:.2g} {when}")


def _kill(trial: Trial, pid: int) -> None:
    ended = len(trial.ended)
    with suppress(ThreadGoneError):
        kill(identify_process(pid))
    descriptors = trial.executor.descriptors()
    if descriptors and not select.select(descriptors, [], [], WAKING_S)[0]:
        raise ExecutorFault(f"none of its descriptors is readable once process {pid} has died")
    trial.wait_for(lambda: len(trial.ended) > ended, f"it does not notice that process {pid} died")


def _not_started(trial: Trial) -> None:
    """Leave the executor as it was made."""


def _at_play(trial: Trial) -> None:
    """Start the streams and a process beside them."""
    trial.start(STREAMS)
    trial.executor.schedule_task(Task("background", "km-idle", run=signal.pause))


def _after_a_death(trial: Trial) -> None:
    """Start the streams, and kill a process beside them."""
    trial.start(STREAMS)
    for pid in trial.executor.processes().get("audio", ())[:1]:
        _kill(trial, pid)

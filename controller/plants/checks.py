"""Conformance checks of the plant contract, to run on a plant of one's own.

    from controller.plants.checks import CHECKS, check

    @pytest.mark.parametrize("name", CHECKS)
    def test_mine(name):
        check(name, make_mine, let_a_second_pass)

Each check makes a plant, watches it for some intervals, turns its knobs as far as they may be
turned, and closes it. `wait` is called with the plant between two observations and lets an
interval pass, on whatever clock the plant has; a tenth of a second of the wall clock without it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Self, get_args

from controller.plants.plant import Plant
from policies.knobs import (
    OURS,
    AnyThreadClasses,
    Bounds,
    Choice,
    Domain,
    Knob,
    KnobValue,
    SchedulingClass,
    Settings,
    ThreadClass,
    ThreadClasses,
)
from policies.observation import Counted, Observation, Quantiles, Reading, Stale, Value
from policies.proposal import Refusal

MakePlant = Callable[[], Plant]
Wait = Callable[[Any], None]
OFTEN = 10
"""Intervals that a plant is watched for, and within which a request comes into force."""
BUDGET_S = 0.5
"""Time that any one call may take, seconds: half of an interval of the loop."""
NO_KNOB = "no such knob"
NO_VALUE = "no such value"
CLASSES = (
    ThreadClass(SchedulingClass.BATCH),
    ThreadClass(nice=1),
    ThreadClass(nice=-1),
    ThreadClass(SchedulingClass.REALTIME, priority=1),
)
"""Ways to schedule audio of which any plant permits one, the gentlest first."""
NO_CLASS = ThreadClass(SchedulingClass.REALTIME, priority=100)
"""A priority that no kernel knows: the highest is 99."""


class PlantFault(AssertionError):  # noqa: N818 - what a plant does wrong
    """A plant does not keep to what is asked of every plant."""


def _a_moment(_: Plant) -> None:
    time.sleep(0.1)


@dataclass
class Trial:
    """A plant that is watched; `found` is what its knobs had before any was turned."""

    make: MakePlant
    wait: Wait = _a_moment
    plant: Plant = field(init=False)
    found: Settings = field(init=False)

    def __enter__(self) -> Self:
        self.plant = self.make()
        self.observe()
        self.found = self.plant.in_force()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        with suppress(Exception) if error else nullcontext():  # the first fault is what is told
            self.plant.close()

    def observe(self) -> Observation:
        """The observation after one more interval."""
        self.wait(self.plant)
        return self.plant.observe()

    def knobs(self) -> Iterator[tuple[str, Knob]]:
        """Knobs that may be turned now, and are turned by nobody else."""
        for name, knob in self.plant.knobs().items():
            if knob.owner == OURS and not knob.obstacle and name in self.found:
                yield name, knob

    def turn_all(self) -> dict[str, KnobValue]:
        """Ask for another value of every knob; those that were taken."""
        taken = {}
        for name, knob in self.knobs():
            value = _another(knob.domain, self.found[name])
            if value is not None and self.apply(name, value) is None:
                taken[name] = value
        return taken

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Ask for a value; raises PlantFault where the answer is none."""
        return _answer(f"apply({knob!r}, {value})", knob, lambda: self.plant.apply(knob, value))

    def restore(self, knob: str) -> Refusal | None:
        """Put a knob back; raises PlantFault where the answer is none."""
        return _answer(f"restore({knob!r})", knob, lambda: self.plant.restore(knob))

    def comes_to(self, wanted: Mapping[str, KnobValue]) -> bool:
        """Whether all of these come to be in force in time."""
        for _ in range(OFTEN):
            self.observe()
            in_force = self.plant.in_force()
            if all(in_force.get(knob) == value for knob, value in wanted.items()):
                return True
        return False


def check(name: str, make: MakePlant, wait: Wait = _a_moment) -> None:
    """Run one check on plants that `make` makes. Raises PlantFault, which says what is wrong."""
    with Trial(make, wait) as trial:
        CHECKS[name](trial)


def check_all(make: MakePlant, wait: Wait = _a_moment) -> None:
    """Run all checks."""
    for name in CHECKS:
        check(name, make, wait)


def is_typed(trial: Trial) -> None:
    """Knobs go by their own names, what is in force is Settings, and finished() says yes or no."""
    plant = trial.plant
    for name, knob in plant.knobs().items():
        if not isinstance(knob, Knob) or knob.id != name:
            raise PlantFault(f"the knob {name!r} is {knob!r}")
    for method, kind in (("in_force", Settings), ("finished", bool)):
        given = getattr(plant, method)()
        if not isinstance(given, kind):
            raise PlantFault(f"{method}() gives {given!r}, not {kind.__name__}")
    if not isinstance(plant.name, str) or not plant.name:
        raise PlantFault(f"its name is {plant.name!r}")


def is_total(trial: Trial) -> None:
    """A knob that it has not, and a value that is none, are refused in words and move nothing."""
    trial.restore(NO_KNOB)
    _check_refused(trial, [(NO_KNOB, 1), *((name, NO_VALUE) for name, _ in trial.knobs())])


def is_bounded(trial: Trial) -> None:
    """A value outside a knob's domain is refused, and moves nothing."""
    outside = [(name, value) for name, knob in trial.knobs() for value in _outside(knob.domain)]
    _check_refused(trial, [each for each in outside if each[1] != trial.found[each[0]]])


def is_consistent(trial: Trial) -> None:
    """Values in force are in the domains of knobs that there are."""
    for _ in range(OFTEN):
        knobs = trial.plant.knobs()
        for name, value in trial.plant.in_force().items():
            if name not in knobs:
                raise PlantFault(f"{name!r} is in force, and no knob")
            if not knobs[name].domain.allows(value):
                raise PlantFault(f"{name} is {value}; possible: {knobs[name].domain}")
        trial.observe()


def is_obedient(trial: Trial) -> None:
    """A value that was asked for and not refused comes to be in force."""
    taken = trial.turn_all()
    if not trial.comes_to(taken):
        told = ", ".join(f"{knob} {value}" for knob, value in taken.items())
        raise PlantFault(f"{told} was taken; in force is {dict(trial.plant.in_force())}")


def is_restorable(trial: Trial) -> None:
    """To restore brings back what was found, and nothing where nothing was turned."""
    for _ in range(2):
        for name in trial.found:
            if (refusal := trial.restore(name)) is not None:
                raise PlantFault(f"{name} is not restored: {refusal.reason}")
        if not trial.comes_to(trial.found):
            now = dict(trial.plant.in_force())
            raise PlantFault(f"found was {dict(trial.found)}, restored is {now}")
        trial.comes_to(trial.turn_all())


def is_truthful(trial: Trial) -> None:
    """Time goes on, counts are counts, readings are readings, and quantiles ascend."""
    before = -math.inf
    for _ in range(OFTEN):
        seen = trial.observe()
        if not (math.isfinite(seen.time_s) and seen.time_s > before and seen.interval_s > 0.0):
            raise PlantFault(f"after {before} s comes {seen.time_s} s, {seen.interval_s} s long")
        before = seen.time_s
        _check_counts(seen)
        for name, reading in _readings(seen):
            _check_reading(name, reading)
        for told in (seen.latency, *_stage_quantiles(seen)):
            _check_ascending(told)
        if not all(isinstance(event, str) for event in seen.events):
            raise PlantFault(f"events are texts, not {seen.events}")


def is_conclusive(trial: Trial) -> None:
    """A plant that has come to its own end does not begin again."""
    for _ in range(OFTEN):
        if trial.plant.finished():
            trial.wait(trial.plant)
            if not trial.plant.finished():
                raise PlantFault("it had finished, and goes on")
        else:
            trial.observe()


def is_closable(trial: Trial) -> None:
    """To close restores what was found, for whoever attaches next; twice is no worse than once."""
    trial.comes_to(trial.turn_all())
    for turn in ("", " again"):
        try:
            trial.plant.close()
        except Exception as error:
            raise PlantFault(f"it cannot be closed{turn}: {error!r}") from error
    with replace(trial) as later:
        if later.found != trial.found and not later.comes_to(trial.found):
            told = f"found was {dict(trial.found)}, left is {dict(later.found)}"
            raise PlantFault(f"once it is closed: {told}")


def is_swift(trial: Trial) -> None:
    """No call takes longer than its budget."""
    plant = trial.plant
    trial.turn_all()
    calls: dict[str, Callable[[], object]] = {
        "observe": plant.observe,
        "knobs": plant.knobs,
        "in_force": plant.in_force,
        "finished": plant.finished,
    }
    calls |= {f"restore({name!r})": partial(plant.restore, name) for name in trial.found}
    for name, call in calls.items():
        trial.wait(plant)
        started_s = time.perf_counter()
        call()
        took_s = time.perf_counter() - started_s
        if took_s > BUDGET_S:
            raise PlantFault(f"{name} takes {took_s:.2f} s, the budget is {BUDGET_S:g} s")


def is_attachable(trial: Trial) -> None:
    """A plant that others started tells its deadline, what it counts, and who watches it for us."""
    plant: Any = trial.plant
    if not hasattr(plant, "helpers"):
        return
    if not (math.isfinite(plant.deadline_ms) and plant.deadline_ms > 0.0):
        raise PlantFault(f"its deadline is {plant.deadline_ms} ms")
    if plant.counted not in get_args(Counted):
        raise PlantFault(f"its blocks are {plant.counted!r}; possible: {get_args(Counted)}")
    if not all(isinstance(each, int) for each in plant.helpers()):
        raise PlantFault(f"helpers are process ids, not {plant.helpers()!r}")


CHECKS: Mapping[str, Callable[[Trial], None]] = MappingProxyType(
    {
        "typed": is_typed,
        "total": is_total,
        "bounded": is_bounded,
        "consistent": is_consistent,
        "obedient": is_obedient,
        "restorable": is_restorable,
        "truthful": is_truthful,
        "conclusive": is_conclusive,
        "closable": is_closable,
        "swift": is_swift,
        "attachable": is_attachable,
    }
)


def _answer(what: str, knob: str, ask: Callable[[], Refusal | None]) -> Refusal | None:
    try:
        answer = ask()
    except Exception as error:
        raise PlantFault(f"{what} raised {error!r}") from error
    if answer is not None and not (isinstance(answer, Refusal) and answer.knob == knob):
        raise PlantFault(f"{what} is answered by {answer!r}")
    return answer


def _check_refused(trial: Trial, asked: Iterable[tuple[str, KnobValue]]) -> None:
    for knob, value in asked:
        if trial.apply(knob, value) is None:
            raise PlantFault(f"{knob} takes {value}")
    trial.observe()
    if trial.plant.in_force() != trial.found:
        raise PlantFault(f"what was refused is in force: {dict(trial.plant.in_force())}")


def _another(domain: Domain, found: KnobValue) -> KnobValue | None:
    """A value that the knob can have and has not; None where there is none."""
    if isinstance(domain, Choice):
        return next(iter(domain.others(found)), None)
    candidates: list[KnobValue] = []
    if isinstance(domain, AnyThreadClasses) and isinstance(found, ThreadClasses):
        candidates = [replace(found, audio=each) for each in CLASSES]
    elif isinstance(domain, Bounds) and isinstance(found, int):
        candidates = [found + 1, found - 1]
    return next((each for each in candidates if each != found and domain.allows(each)), None)


def _outside(domain: Domain) -> tuple[KnobValue, ...]:
    """Values of the right kind that the knob cannot have."""
    if isinstance(domain, Bounds):
        return domain.low - 1, domain.high + 1
    if isinstance(domain, Choice):
        numbers = [each for each in domain.values if isinstance(each, int)]
        return (max(numbers) + 1,) if numbers else (NO_VALUE,)
    return (ThreadClasses(audio=NO_CLASS),)


def _readings(seen: Observation) -> Iterator[tuple[str, Reading]]:
    yield "load", seen.load
    yield from seen.readings.items()
    for told in (seen.latency, *_stage_quantiles(seen)):
        yield from zip(("p50_ms", "p95_ms", "p99_ms", "max_ms"), _four(told), strict=True)


def _four(told: Quantiles) -> tuple[Reading, ...]:
    return told.p50_ms, told.p95_ms, told.p99_ms, told.max_ms


def _stage_quantiles(seen: Observation) -> Iterator[Quantiles]:
    for stage in seen.stages.values():
        yield from (stage.start_lateness, stage.service_time)


def _check_counts(seen: Observation) -> None:
    if seen.blocks is None:
        return
    counts = (seen.blocks.on_time, seen.blocks.late, seen.blocks.concealed, seen.blocks.lost)
    if not all(isinstance(each, int) and each >= 0 for each in counts):
        raise PlantFault(f"counts are whole numbers, never negative: {seen.blocks}")
    if seen.no_deadline:
        raise PlantFault(f"there is no deadline ({seen.no_deadline}), and {seen.blocks}")


def _check_reading(name: str, reading: object) -> None:
    if not isinstance(reading, Reading):
        raise PlantFault(f"{name} is {reading!r}; a reading is one of {Reading}")
    if isinstance(reading, Value | Stale) and not math.isfinite(reading.value):
        raise PlantFault(f"{name} is {reading}, which is Invalid, not a value")
    if name == "load" and isinstance(reading, Value) and reading.value < 0.0:
        raise PlantFault(f"the load is {reading.value}")


def _check_ascending(told: Quantiles) -> None:
    values = [each.value for each in _four(told) if isinstance(each, Value)]
    if values != sorted(values):
        raise PlantFault(f"quantiles do not ascend: {told}")

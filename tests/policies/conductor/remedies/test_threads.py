"""The order in which the classes of work are favoured or give way."""

from __future__ import annotations

from kapellmeister.explaining.explain import describe_turn
from policies.conductor.remedies.threads import steps
from policies.knobs import (
    AnyThreadClasses,
    SchedulingClass,
    ThreadClasses,
)
from policies.objective import Priority


def test_priority_says_which_companion_yields_further():
    domain = AnyThreadClasses(realtime=False, nice=False)

    def yielding(priority):
        classes = {step.name: step.classes for step in steps(domain, ThreadClasses(), priority)}
        step = classes["companions_yield"]
        return step.analysis.scheduling, step.visualisation.scheduling

    assert yielding(Priority.AUDIO) == (SchedulingClass.BATCH, SchedulingClass.IDLE)
    assert yielding(Priority.VISUAL) == (SchedulingClass.IDLE, SchedulingClass.NORMAL)


def test_a_raised_nice_level_is_no_step_where_real_time_is_permitted():
    ladder = steps(AnyThreadClasses(), ThreadClasses(), Priority.AUDIO)
    assert [step.name for step in ladder] == ["realtime", "background_idle", "companions_yield"]


def test_audio_gets_as_many_processors_as_it_needs_or_none_of_its_own():
    domain = AnyThreadClasses(cpus=frozenset(range(4)))

    def own(processors):
        ladder = steps(domain, ThreadClasses(), Priority.AUDIO, processors)
        return {step.name: step.classes.audio.cpus for step in ladder}.get("own_processor")

    assert own(1) == {3}
    assert own(2) == {2, 3}
    assert own(4) is None


def test_a_class_without_threads_is_not_turned():
    domain = AnyThreadClasses(cpus=frozenset({0, 1}), classes=frozenset({"audio"}))
    names = [each.name for each in steps(domain, ThreadClasses(), Priority.AUDIO)]
    assert names == ["realtime"]


def test_processors_are_taken_from_no_class_without_threads():
    classes = frozenset({"audio", "background"})
    domain = AnyThreadClasses(cpus=frozenset({0, 1}), classes=classes)
    ladder = {each.name: each for each in steps(domain, ThreadClasses(), Priority.AUDIO)}
    assert describe_turn(ThreadClasses(), ladder["own_processor"].classes) == (
        "audio normal -> normal cpu 1; background normal -> normal cpu 0"
    )

"""Steps of the classes of threads, where some classes have no threads."""

from __future__ import annotations

from kapellmeister.explaining.explain import describe_turn
from policies.conductor.threads import steps
from policies.knobs import AnyThreadClasses, ThreadClasses
from policies.objective import Priority


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

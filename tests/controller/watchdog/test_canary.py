from __future__ import annotations

from controller.watchdog.canary import Watch


def looks(watch: Watch, *seen: tuple[int, float]) -> list[bool]:
    return [watch.look(visits, now_s) for visits, now_s in seen]


def test_a_visit_that_takes_two_seconds_has_found_a_processor_that_starves() -> None:
    seen = [(7, 100.0), (7, 100.5), (7, 101.0), (7, 101.5), (7, 102.0)]
    assert looks(Watch(), *seen) == [False, False, False, False, True]


def test_each_visit_begins_anew() -> None:
    seen = [(7, 100.0), (7, 101.0), (7, 101.4), (8, 101.9), (8, 102.4), (8, 102.9)]
    assert not any(looks(Watch(), *seen))


def test_a_machine_that_stood_still_as_a_whole_has_starved_nobody() -> None:
    assert looks(Watch(), (7, 100.0), (7, 3700.0), (8, 3700.5)) == [False, False, False]

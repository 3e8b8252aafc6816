"""Since when drivers are at work, and when they have rested."""

from __future__ import annotations

from controller.plants.pipewire.active_drivers import REST_NS, ActiveDrivers
from controller.plants.pipewire.drivers import Driver
from controller.plants.pipewire.pw_dump import Node

SECOND_NS = 1_000_000_000
FOLLOWER = Node(50, "stream", runs=True)


def at_work(number: int, freewheels: bool = False) -> Driver:
    return Driver(number, "device", freewheels, (FOLLOWER,), (48_000,))


def test_a_driver_is_at_work_since_it_began() -> None:
    active = ActiveDrivers()
    assert active.no_deadline == "nothing plays"
    active.note([at_work(42)], 5)
    active.note([at_work(42), at_work(47)], 9)
    assert active.no_deadline == ""
    assert active.began_ns == {42: 5, 47: 9}


def test_a_driver_rests_only_after_a_while() -> None:
    active = ActiveDrivers()
    active.note([at_work(42)], 5)
    active.note([], 10)
    active.forget_rested(10 + REST_NS - 1)
    assert (active.no_deadline, active.began_ns) == ("", {42: 5})
    active.forget_rested(10 + REST_NS)
    assert (active.no_deadline, active.began_ns) == ("nothing plays", {})


def test_a_driver_that_comes_back_soon_has_not_rested() -> None:
    active = ActiveDrivers()
    active.note([at_work(42)], 5)
    active.note([], 10)
    active.note([at_work(42)], 20)
    active.forget_rested(SECOND_NS)
    assert active.began_ns == {42: 5}


def test_a_freewheel_takes_over_at_once() -> None:
    active = ActiveDrivers()
    active.note([at_work(42)], 5)
    active.note([at_work(30, freewheels=True)], 10)
    assert (active.no_deadline, active.drivers) == ("the server freewheels", ())
    active.note([at_work(42)], 20)
    assert (active.no_deadline, active.began_ns) == ("", {42: 20})


def test_where_another_pipeline_freewheels_a_deadline_holds() -> None:
    active = ActiveDrivers()
    active.note([at_work(42), at_work(30, freewheels=True)], 5)
    assert active.no_deadline == ""

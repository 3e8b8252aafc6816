"""A meter of a PipeWire graph at which a test sets the time, the drivers and what is printed."""

from __future__ import annotations

from typing import Any

from pipewire_tables import seconds

from controller.plants.pipewire.active_drivers import ActiveDrivers
from controller.plants.pipewire.drivers import Driver
from controller.plants.pipewire.meters.meter import Meter
from controller.plants.pipewire.pw_dump import Node


def node(number: int, **told: Any) -> Node:
    return Node(number, f"node {number}", runs=True, **told)


def driven(number: int, *followers: int, freewheels: bool = False) -> Driver:
    nodes = tuple(node(each, driver=number) for each in followers)
    return Driver(number, f"device {number}", freewheels, nodes, (48_000, 44_100))


class MeterRig:
    """A meter, the drivers at work, and the time."""

    def __init__(self, meter: Meter, *drivers: Driver) -> None:
        self.meter, self.active = meter, ActiveDrivers()
        self.active.note(drivers, 0)

    def at(self, second: float, text: str | bytes) -> None:
        self.now_ns = seconds(second)
        self.meter.feed(
            text if isinstance(text, bytes) else text.encode(), self.active, self.now_ns
        )
        self.meter.pause(self.active, self.now_ns + seconds(0.1))

    def works(self, second: float, *drivers: Driver) -> None:
        self.active.note(drivers, seconds(second))
        self.active.forget_rested(seconds(second))

    def counted(self) -> tuple[object, object]:
        line = self.meter.line()
        return line["cycles"], line["missed"]


PLAYING = driven(36, 41, 42)

"""Which nodes of a PipeWire graph drive others now: each drives a pipeline with its own cycles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from controller.plants.pipewire.pw_dump import Graph, Node

USUAL_RATES_HZ = (48_000, 44_100)


@dataclass(frozen=True, slots=True)
class Driver:
    """A node that has cycles begin, and the nodes that follow it in each."""

    id: int
    name: str
    freewheels: bool
    followers: tuple[Node, ...]
    rates_hz: tuple[int, ...]
    """Rates at which it may play, Hz, the likeliest first: which one it is only pw-top tells."""


def drivers_at_work(graph: Graph) -> tuple[Driver, ...]:
    """The nodes that others follow now: who drives nobody plays nothing, nor does a camera."""
    running = {each.id: each for each in graph.nodes.values() if each.runs}
    told = any(each.driver is not None for each in graph.nodes.values())
    groups = (_as_told if told else _as_linked)(running, graph.links.values())
    return tuple(
        Driver(
            driver.id,
            driver.name,
            driver.freewheels,
            tuple(sorted(followers, key=lambda each: each.id)),
            _rates(graph, driver),
        )
        for driver, followers in groups
        if followers and not driver.shows
    )


def _rates(graph: Graph, driver: Node) -> tuple[int, ...]:
    settings = (graph.setting(f"clock.{each}") for each in ("force-rate", "rate"))
    return tuple(filter(None, (driver.rate_hz, *settings, *USUAL_RATES_HZ)))


def expected_frames(graph: Graph, driver: Driver) -> int:
    """The quantum by the server's rules, frames, for a driver whose cycles nobody measures."""
    if forced := graph.setting("clock.force-quantum"):
        return forced
    if forced := max((each.forces for each in driver.followers), default=0):
        return forced
    wanted = [
        frames * driver.rates_hz[0] // rate_hz
        for frames, rate_hz in (each.latency for each in driver.followers)
        if frames and rate_hz
    ]
    frames = min(wanted, default=graph.setting("clock.quantum"))
    frames = max(frames, graph.setting("clock.min-quantum"))
    frames = min(frames, graph.setting("clock.max-quantum") or frames)
    return 1 << max(frames.bit_length() - 1, 0)


def _as_told(
    running: dict[int, Node], links: Collection[tuple[int, int]]
) -> Iterator[tuple[Node, list[Node]]]:
    """Who drives whom, where each node tells it.

    A driver that others follow is one, whatever it is said to follow itself: a driver that it
    followed once and no longer does is still told, as after a freewheel.
    """
    led = _driver_of_each(running, links)
    followed = {driver for number, driver in led.items() if driver != number}
    drivers = [each for each in running.values() if each.drives and each.id in followed]
    driving = {each.id for each in drivers}
    for driver in drivers:
        followers = (each for each in running.values() if led[each.id] == driver.id)
        yield driver, [each for each in followers if each.id not in driving]


def _driver_of_each(
    running: dict[int, Node], links: Collection[tuple[int, int]]
) -> dict[int, int | None]:
    """Which node drives each; all that is linked to what freewheels does so as well, untold."""
    led = {each.id: each.driver for each in running.values()}
    for nodes in _connected(running, links):
        for driver in [each.driver for each in nodes if each.driver in running]:
            if driver is not None and running[driver].freewheels:
                led |= dict.fromkeys((each.id for each in nodes), driver)
    return led


def _as_linked(
    running: dict[int, Node], links: Collection[tuple[int, int]]
) -> Iterator[tuple[Node, list[Node]]]:
    """Who drives whom, as linked and grouped nodes have one driver.

    What is linked to no driver follows the one that matters most.
    """
    left: list[Node] = []
    pipelines: dict[int, tuple[Node, list[Node]]] = {}
    for nodes in _connected(running, links):
        driver = _most_important(nodes)
        if driver is None:
            left += nodes
        else:
            pipelines[driver.id] = driver, [each for each in nodes if each is not driver]
    clocked = (driver for driver, _ in pipelines.values() if not driver.freewheels)
    if left and (driver := _most_important(clocked)) is not None:
        pipelines[driver.id][1].extend(left)
    yield from pipelines.values()


def _most_important(nodes: Iterable[Node]) -> Node | None:
    drivers = [each for each in nodes if each.drives]
    return max(drivers, key=lambda each: (each.freewheels, each.priority, -each.id), default=None)


def _connected(running: dict[int, Node], links: Iterable[tuple[int, int]]) -> Iterator[list[Node]]:
    """Running nodes in sets that links or groups hold together."""
    beside = _neighbours(running, links)
    left = set(running)
    while left:
        found: set[int] = set()
        edge = {left.pop()}
        while edge:
            found |= edge
            edge = set().union(*(beside[each] for each in edge)) - found
        left -= found
        yield [running[each] for each in sorted(found)]


def _neighbours(running: dict[int, Node], links: Iterable[tuple[int, int]]) -> dict[int, set[int]]:
    beside: dict[int, set[int]] = {number: set() for number in running}
    for one, other in links:
        if one in beside and other in beside:
            beside[one].add(other)
            beside[other].add(one)
    members: dict[str, set[int]] = {}
    for node in running.values():
        for group in node.groups:
            members.setdefault(group, set()).add(node.id)
    for node in running.values():
        beside[node.id].update(*(members[group] for group in node.groups))
    return beside

"""Which drivers are at work in a PipeWire graph, and who follows them, in both ways of telling."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from controller.plants.pipewire.drivers import (
    drivers_at_work,
    expected_frames,
)
from controller.plants.pipewire.pw_dump import Graph, Node


def graph(
    *nodes: Node, links: Iterable[tuple[int, int]] = (), settings: dict[str, int] | None = None
) -> Graph:
    made = Graph()
    made.nodes = {each.id: each for each in nodes}
    made.links = dict(enumerate(links))
    made._settings = {"clock.rate": 48_000, "clock.quantum": 1024, **(settings or {})}
    return made


def device(number: int, **told: Any) -> Node:
    return Node(number, f"device {number}", **{"runs": True, "drives": True, **told})


def stream(number: int, **told: Any) -> Node:
    return Node(number, f"stream {number}", **{"runs": True, **told})


FREEWHEEL = Node(
    30, "Freewheel-Driver", drives=True, freewheels=True, groups=frozenset({"pipewire.freewheel"})
)
FREEWHEELING = Node(
    30,
    "Freewheel-Driver",
    runs=True,
    drives=True,
    freewheels=True,
    groups=frozenset({"pipewire.freewheel"}),
)


def followers(made: Graph) -> dict[int, list[int]]:
    return {each.id: [node.id for node in each.followers] for each in drivers_at_work(made)}


class TestWhereNodesTellWhoDrivesThem:
    def test_each_driver_has_those_that_follow_it(self) -> None:
        made = graph(device(42), device(47), stream(52, driver=42), stream(58, driver=47))
        assert followers(made) == {42: [52], 47: [58]}

    def test_a_driver_that_nobody_follows_is_not_at_work(self) -> None:
        assert followers(graph(device(42), device(47), stream(52, driver=42))) == {42: [52]}

    def test_a_camera_drives_no_sound(self) -> None:
        made = graph(
            device(42), device(80, shows=True), stream(52, driver=42), stream(81, driver=80)
        )
        assert followers(made) == {42: [52]}

    def test_what_does_not_run_neither_drives_nor_follows(self) -> None:
        resting = stream(52, driver=42, runs=False)
        assert followers(graph(device(42), resting)) == {}
        assert followers(graph(device(42, runs=False), stream(52, driver=42))) == {}

    def test_what_is_linked_to_one_that_freewheels_does_so_too_though_nobody_tells(self) -> None:
        exporter, other = stream(60, driver=30), stream(52, driver=42)
        made = graph(FREEWHEELING, device(42), exporter, other, links=[(60, 42), (52, 42)])
        (driver,) = drivers_at_work(made)
        assert (driver.freewheels, [each.id for each in driver.followers]) == (True, [42, 52, 60])

    def test_a_device_of_its_own_plays_on_beside_a_freewheel(self) -> None:
        linked = [(60, 42), (58, 47)]
        beside = (device(47), stream(58, driver=47))
        exporter = stream(60, driver=30)
        made = graph(FREEWHEELING, device(42), exporter, *beside, links=linked)
        assert followers(made) == {30: [42, 60], 47: [58]}

    def test_devices_follow_a_freewheel_like_all_others(self) -> None:
        made = graph(FREEWHEELING, device(42, driver=30), stream(49, driver=30))
        assert followers(made) == {30: [42, 49]}
        assert [each.freewheels for each in drivers_at_work(made)] == [True]

    def test_what_drives_again_after_a_freewheel_may_still_tell_what_it_followed(self) -> None:
        made = graph(FREEWHEEL, device(42, driver=30), stream(49, driver=42))
        assert followers(made) == {42: [49]}

    def test_another_pipeline_may_freewheel_meanwhile(self) -> None:
        made = graph(
            FREEWHEELING, device(42, driver=30), stream(49, driver=42), stream(50, driver=30)
        )
        assert followers(made) == {42: [49], 30: [50]}

    def test_what_is_linked_to_what_freewheels_does_so_though_it_does_not_tell(self) -> None:
        device_and_player = device(42), stream(49, driver=42)
        exporter, links = stream(50, driver=30), ((49, 42), (50, 42))
        assert followers(graph(FREEWHEELING, *device_and_player, exporter, links=links)) == {
            30: [42, 49, 50]
        }
        again = stream(50, driver=42)
        assert followers(graph(FREEWHEEL, *device_and_player, again, links=links)) == {42: [49, 50]}

    def test_a_driver_that_is_gone_drives_nobody(self) -> None:
        assert followers(graph(stream(52, driver=42), stream(53, driver=None))) == {}


class TestWhereOnlyLinksTell:
    def test_what_is_linked_to_a_device_follows_it(self) -> None:
        made = graph(
            device(35), device(40), stream(46), stream(52), links=[(46, 35), (46, 35), (52, 40)]
        )
        assert followers(made) == {35: [46], 40: [52]}

    def test_so_does_what_is_linked_to_a_follower_or_in_its_group(self) -> None:
        in_group = {"groups": frozenset({"jack-1"})}
        made = graph(
            device(35),
            stream(46, **in_group),
            stream(52),
            stream(60, **in_group),
            links=[(46, 35), (52, 46)],
        )
        assert followers(made) == {35: [46, 52, 60]}

    def test_of_devices_that_are_linked_the_most_important_drives(self) -> None:
        made = graph(device(35), device(40, priority=1000), stream(46), links=[(46, 35), (46, 40)])
        assert followers(made) == {40: [35, 46]}

    def test_what_is_linked_to_none_follows_the_most_important_that_has_a_clock(self) -> None:
        made = graph(device(27, priority=20_000), device(35), stream(41))
        assert followers(made) == {27: [41]}

    def test_a_group_freewheels_with_all_that_are_linked_to_it(self) -> None:
        renderer = stream(41, groups=frozenset({"pipewire.freewheel"}))
        made = graph(FREEWHEELING, device(35), renderer, links=[(41, 35)])
        assert followers(made) == {30: [35, 41]}

    def test_without_any_device_nothing_is_at_work(self) -> None:
        assert followers(graph(stream(41))) == {}


class TestWhatTheServersRulesComeTo:
    @pytest.mark.parametrize(
        ("latencies", "settings", "frames"),
        [
            ([(64, 48_000)], {}, 64),
            ([(1024, 48_000), (256, 48_000)], {}, 256),
            ([(256, 96_000)], {}, 128),
            ([(441, 44_100)], {}, 256),
            ([(0, 0)], {}, 1024),
            ([(16, 48_000)], {"clock.min-quantum": 1024}, 1024),
            ([(4096, 48_000)], {"clock.max-quantum": 2048}, 2048),
            ([(64, 48_000)], {"clock.force-quantum": 512}, 512),
        ],
    )
    def test_the_shortest_latency_that_is_asked_for_is_the_quantum(
        self, latencies: list[tuple[int, int]], settings: dict[str, int], frames: int
    ) -> None:
        nodes = [stream(each, driver=42, latency=pair) for each, pair in enumerate(latencies)]
        made = graph(device(42), *nodes, settings=settings)
        assert expected_frames(made, *drivers_at_work(made)) == frames

    def test_a_quantum_that_a_node_forces_comes_before_what_others_ask_for(self) -> None:
        made = graph(
            device(42), stream(1, driver=42, forces=256), stream(2, driver=42, latency=(64, 48_000))
        )
        assert expected_frames(made, *drivers_at_work(made)) == 256

"""Links across a network that delays, loses, is cut, or only seems to be there."""

import time

import pytest
from link_pair import listening_end, open_pair, turn_until
from relay import relayed

from controller.errors import LinkError
from controller.executors.cluster.links.frame import Frame, Kind
from controller.executors.cluster.links.quality.ping import answer
from controller.executors.cluster.links.quality.probe import LinkProbe
from policies.observation import fresh


@pytest.fixture
def across():
    """The relay, and both ends of a link that goes through it."""
    with (
        listening_end() as (master, address),
        relayed(address) as relay,
        open_pair(relay.address, master) as (node, link),
    ):
        yield relay, master, node, link


def ask(probe, link, master, node):
    """One question of the node's and its answer."""
    master.frames.clear()
    node.frames.clear()
    link.send(probe.question(time.monotonic_ns()))
    turn_until(lambda: bool(master.frames), master, node)
    now_ns = time.monotonic_ns()
    master.opened[0].send(answer("node", master.frames[0], now_ns, now_ns))
    turn_until(lambda: bool(node.frames), master, node)
    probe.heard(node.frames[0], time.monotonic_ns())


def test_a_delay_shows_in_the_round_trip_and_the_offset_stays_within_its_error(across):
    relay, master, node, link = across
    relay.weather.delay_s, relay.weather.jitter_s = 0.01, 0.005
    probe = LinkProbe("master")
    for _ in range(8):
        ask(probe, link, master, node)
    quality = probe.quality(time.monotonic_ns())
    assert 20_000 <= (fresh(quality.fastest_us) or 0) <= (fresh(quality.round_trip_p99_us) or 0)
    assert abs(quality.clock.offset_ns) <= quality.clock.error_ns


def test_frames_keep_their_order_where_segments_are_lost(across):
    relay, master, node, link = across
    relay.weather.loss = 0.3
    for sequence in range(60):
        link.send(Frame(Kind.BUS, bytes(2000), sequence=sequence))
    turn_until(lambda: len(master.frames) == 60, master, node)
    assert relay.lost > 5
    assert [frame.sequence for frame in master.frames] == list(range(60))


def test_a_cut_closes_both_ends_with_an_error(across):
    relay, master, node, _ = across
    relay.cut()
    turn_until(lambda: bool(master.closed) and bool(node.closed), master, node)
    assert isinstance(master.closed[0].error, LinkError)
    assert isinstance(node.closed[0].error, LinkError)


def test_a_link_that_only_seems_open_gives_no_error_and_no_frames(across):
    relay, master, node, link = across
    relay.weather.is_half_open = True
    for sequence in range(50):
        assert link.send(Frame(Kind.BUS, bytes(2000), sequence=sequence))
        node.turn()
        master.turn()
    assert (master.frames, link.is_open, link.error) == ([], True, None)

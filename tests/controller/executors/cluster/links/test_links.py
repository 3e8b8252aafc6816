"""Links over real TCP on the loopback, both ends in this process."""

import os
import socket
from contextlib import ExitStack

import numpy as np
import pytest
from link_pair import ANY_PORT, MASTER, NODE, connecting_end, listening_end, open_pair, turn_until
from served import taken_port

from controller.errors import AddressError, FrameError, LinkError, PortInUseError
from controller.executors.cluster.links.address import Address
from controller.executors.cluster.links.frame import Frame, Kind, encoded
from controller.executors.cluster.links.hello import Hello, farewell_frame, hello_frame
from controller.executors.cluster.links.link import Stage
from controller.executors.cluster.links.listener import Listener


def is_closed(stranger):
    stranger.setblocking(False)
    try:
        return stranger.recv(1) == b""
    except BlockingIOError:
        return False


@pytest.fixture
def master():
    with listening_end() as (end, address):
        yield end, address


def test_both_ends_know_each_other_once_the_link_is_open(master):
    end, address = master
    with open_pair(address, end) as (_, link):
        assert (link.theirs, end.opened[0].theirs) == (MASTER, NODE)


def test_blocks_come_across_as_they_went_and_in_order(master):
    end, address = master
    block = np.arange(16 * 256, dtype=np.float32).reshape(16, 256)
    with open_pair(address, end) as (node, link):
        for sequence in range(40):
            assert link.send(Frame(Kind.BUS, memoryview(block), 3, 1, sequence))
        turn_until(lambda: len(end.frames) == 40, end, node)
    assert [frame.sequence for frame in end.frames] == list(range(40))
    heard = np.frombuffer(end.frames[-1].payload, np.float32).reshape(16, 256)
    assert np.array_equal(heard, block)


def test_nothing_is_taken_before_both_have_greeted(master):
    _, address = master
    with connecting_end(address) as (_, link):
        assert not link.send(Frame(Kind.BUS, b"early"))


def test_a_peer_that_does_not_read_stalls_its_link_and_nothing_grows(master):
    end, address = master
    with open_pair(address, end) as (node, link):
        frame = Frame(Kind.BUS, bytes(1 << 16))
        taken = 0
        while link.send(frame):
            taken += 1
            assert taken < 1000
        assert link.stalled_ns is not None
        assert not any(link.send(frame) for _ in range(1000))
        assert link.waiting_bytes <= 2 << 20
        turn_until(lambda: link.stalled_ns is None, end, node)
        assert link.send(Frame(Kind.BUS, b"flows again"))
        turn_until(lambda: end.frames[-1].payload == b"flows again", end, node)
    assert len(end.frames) == taken + 1


def test_an_end_that_leaves_in_order_leaves_no_error(master):
    end, address = master
    with open_pair(address, end) as (_, link):
        link.close()
        turn_until(lambda: bool(end.closed), end)
    assert end.closed[0].error is None


def test_a_peer_that_vanishes_is_an_error_of_its_link_alone(master):
    end, address = master
    with open_pair(address, end) as (_, link), open_pair(address, end) as (other, stays):
        with socket.socket(fileno=os.dup(link.fileno())) as without_a_word:
            without_a_word.shutdown(socket.SHUT_RDWR)
        turn_until(lambda: bool(end.closed), end)
        assert isinstance(end.closed[0].error, LinkError)
        assert "ended without a farewell" in str(end.closed[0].error)
        stays.send(Frame(Kind.BUS, b"still here"))
        turn_until(lambda: bool(end.frames), end, other)


def test_a_node_of_another_version_is_refused_and_told_why(master):
    end, address = master
    with connecting_end(address, Hello("node-1", "0.9")) as (node, link):
        turn_until(lambda: link.stage is Stage.CLOSED and bool(end.closed), end, node)
    assert isinstance(end.closed[0].error, FrameError)
    assert "kapellmeister" in str(link.error)


@pytest.mark.parametrize(
    "words", [b"GET / HTTP/1.1\r\nHost: alpha\r\n\r\n", b"KPLM\x01\x05" + b"\0" * 18]
)
def test_a_stranger_on_the_port_is_shown_the_door(master, words):
    end, address = master
    with socket.create_connection((address.host, address.port)) as stranger:
        stranger.sendall(words)
        turn_until(lambda: bool(end.closed), end)
    assert "a stranger" in str(end.closed[0].error)


@pytest.mark.parametrize(
    ("said", "why"),
    [((NODE, NODE), "it greets a second time"), ((NODE, None, NODE), None), ((None, NODE), None)],
)
def test_after_a_farewell_nothing_counts_and_a_greeting_counts_once(master, said, why):
    end, address = master
    frames = [farewell_frame() if hello is None else hello_frame(hello) for hello in said]
    with socket.create_connection((address.host, address.port)) as stranger:
        stranger.sendall(b"".join(bytes(part) for frame in frames for part in encoded(frame)))
        turn_until(lambda: bool(end.closed), end)
    (closed,) = end.closed
    assert closed.stage is Stage.CLOSED
    assert closed.error is None if why is None else why in str(closed.error)


def test_who_says_nothing_is_given_up_on():
    with (
        listening_end(greeting_s=0.05) as (end, address),
        socket.create_connection((address.host, address.port)),
    ):
        turn_until(lambda: bool(end.closed), end)
    assert "it did not greet in time" in str(end.closed[0].error)


def test_strangers_beyond_a_number_are_not_kept(master):
    end, address = master
    with ExitStack() as strangers:
        there = (address.host, address.port)
        sockets = [strangers.enter_context(socket.create_connection(there)) for _ in range(40)]
        turn_until(lambda: sum(map(is_closed, sockets)) == 8, end)
        assert sum(map(is_closed, sockets)) == 8


def test_a_port_where_nobody_listens_is_said():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = Address("127.0.0.1", gone.getsockname()[1])
    with connecting_end(address) as (node, link):
        turn_until(lambda: bool(node.closed), node)
    assert "start what should listen there" in str(link.error)


def test_a_port_in_use_is_said():
    with taken_port() as port, pytest.raises(PortInUseError, match="choose another port"):
        Listener(Address("127.0.0.1", port), MASTER, None)


def test_a_listener_beyond_loopback_wants_credentials():
    with pytest.raises(AddressError, match="every network"):
        Listener(Address("0.0.0.0", 0), MASTER, None)
    assert ANY_PORT.host == "127.0.0.1"

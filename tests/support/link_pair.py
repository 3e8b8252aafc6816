"""Two ends of a link in one process, and waiting until they have done something."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.executors.cluster.links.address import Address
from controller.executors.cluster.links.encryption.credentials import Credentials
from controller.executors.cluster.links.frame import Frame
from controller.executors.cluster.links.hello import Hello
from controller.executors.cluster.links.link import Link
from controller.executors.cluster.links.listener import Listener, connect
from controller.executors.cluster.links.poller import LinkPoller

MASTER, NODE = Hello("master", "1.0"), Hello("node-1", "1.0")
ANY_PORT = Address("127.0.0.1", 0)


class End:
    """One end: its poller, and all that it was told."""

    def __init__(self, greeting_s: float = 5.0) -> None:
        self.poller = LinkPoller(greeting_s)
        self.frames: list[Frame] = []
        self.opened: list[Link] = []
        self.closed: list[Link] = []

    def turn(self) -> None:
        """Serve what is ready, without a wait worth the name."""
        ready = self.poller.wait(0.001)
        self.frames += [frame for _, frame in ready.frames]
        self.opened += ready.opened
        self.closed += ready.closed


def turn_until(is_done: Callable[[], bool], *ends: End, patience_s: float = 10.0) -> None:
    """Serve all ends until something has come about."""
    give_up_s = time.monotonic() + patience_s
    while not is_done():
        assert time.monotonic() < give_up_s, "it never came about"
        for end in ends:
            end.turn()


@contextmanager
def listening_end(
    ours: Hello = MASTER, credentials: Credentials | None = None, greeting_s: float = 5.0
) -> Iterator[tuple[End, Address]]:
    """An end that listens, and its address."""
    end, listener = End(greeting_s), Listener(ANY_PORT, ours, credentials)
    end.poller.listen(listener)
    try:
        yield end, listener.address
    finally:
        end.poller.close()


@contextmanager
def connecting_end(
    address: Address, ours: Hello = NODE, credentials: Credentials | None = None
) -> Iterator[tuple[End, Link]]:
    """An end that connects to a master, and its link."""
    end, link = End(), connect(address, ours, credentials, "master")
    end.poller.add(link)
    try:
        yield end, link
    finally:
        end.poller.close()


@contextmanager
def open_pair(address: Address, master: End) -> Iterator[tuple[End, Link]]:
    """An end that is connected by way of an address, both greeted."""
    with connecting_end(address) as (node, link):
        turn_until(lambda: link.is_open and bool(master.opened), master, node)
        yield node, link


@contextmanager
def encrypted_ends(
    of_master: Credentials | None, of_node: Credentials | None
) -> Iterator[tuple[End, End, Link]]:
    """Both ends with their credentials, not yet connected, and the node's link."""
    with (
        listening_end(MASTER, of_master) as (master, address),
        connecting_end(address, NODE, of_node) as (node, link),
    ):
        yield master, node, link

"""All links of one process, waited for together with epoll."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass

from controller.errors import LinkError
from controller.executors.cluster.links.frame import Frame
from controller.executors.cluster.links.link import Link, Stage
from controller.executors.cluster.links.listener import Listener

GREETING_S = 5.0
"""Seconds that a peer has to connect and greet."""
MOST_STRANGERS = 32
"""Connections at most that have not greeted yet; one more is closed at once."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What came of one wait: frames with their link, in order, and links that opened or closed."""

    frames: list[tuple[Link, Frame]]
    opened: list[Link]
    closed: list[Link]


class LinkPoller:
    """Waits for links and listeners; those that close are let go."""

    def __init__(self, greeting_s: float = GREETING_S) -> None:
        self._greeting_ns = int(greeting_s * 1e9)
        self._epoll = select.epoll()
        self._links: dict[int, Link] = {}
        self._listeners: dict[int, Listener] = {}
        self._writing: set[int] = set()
        self._strangers: set[int] = set()
        self._closed: list[Link] = []

    def fileno(self) -> int:
        """Descriptor that is readable when `wait` has something to do."""
        return self._epoll.fileno()

    def add(self, link: Link) -> None:
        """Look after a link that was just made."""
        number = link.fileno()
        if number in self._links:  # of one that closed since the last wait
            self._forget(number)
        self._links[number] = link
        self._strangers.add(number)
        self._writing.add(number)
        self._epoll.register(number, select.EPOLLIN | select.EPOLLOUT)

    def listen(self, listener: Listener) -> None:
        """Take what connects to a listener."""
        self._listeners[listener.fileno()] = listener
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def wait(self, timeout_s: float) -> Ready:
        """Serve what is ready within a time, which the kernel counts in whole milliseconds."""
        ready = Ready([], [], self._closed)
        self._look_after_all()
        for number, _ in self._epoll.poll(0.0 if ready.closed else timeout_s):
            if number in self._listeners:
                self._accept(self._listeners[number])
            elif number in self._links:
                self._serve(number, self._links[number], ready)
        self._closed = []
        return ready

    def close(self) -> None:
        """Leave every link in order, and take no more."""
        for link in self._links.values():
            link.close()
        for listener in self._listeners.values():
            listener.close()
        self._links.clear()
        self._strangers.clear()
        self._epoll.close()

    def _look_after_all(self) -> None:
        """Let go what closed, give up on who does not greet, wait for room where bytes wait."""
        if self._strangers:
            self._give_up_on_silent(time.monotonic_ns())
        changed = [
            number
            for number, link in self._links.items()
            if link.stage is Stage.CLOSED or link.wants_write != (number in self._writing)
        ]
        for number in changed:
            self._look_after(number, self._links[number])

    def _look_after(self, number: int, link: Link) -> None:
        if link.stage is Stage.CLOSED:
            self._forget(number)
        elif link.wants_write != (number in self._writing):
            self._watch_writing(number, link)

    def _give_up_on_silent(self, now_ns: int) -> None:
        for number in self._strangers:
            link = self._links[number]
            if now_ns - link.began_ns > self._greeting_ns:
                why, remedy = "it did not greet in time", "see that kapellmeister runs there"
                link.refuse(LinkError(link.peer, why, remedy))

    def _watch_writing(self, number: int, link: Link) -> None:
        self._epoll.modify(number, select.EPOLLIN | (select.EPOLLOUT if link.wants_write else 0))
        (self._writing.add if link.wants_write else self._writing.discard)(number)

    def _accept(self, listener: Listener) -> None:
        link = listener.accept()
        if link is None:
            return
        if len(self._strangers) < MOST_STRANGERS:
            self.add(link)
        else:
            link.close()

    def _serve(self, number: int, link: Link, ready: Ready) -> None:
        for frame in link.service():
            ready.frames.append((link, frame))
        if number in self._strangers and link.theirs is not None:
            self._strangers.discard(number)
            ready.opened.append(link)
        self._look_after(number, link)

    def _forget(self, number: int) -> None:
        """Let a closed link go; its socket has left epoll by itself."""
        self._closed.append(self._links.pop(number))
        self._strangers.discard(number)
        self._writing.discard(number)

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
        self._numbers: dict[Link, int] = {}
        self._changed: set[Link] = set()
        self._writing: set[Link] = set()
        self._strangers: set[Link] = set()
        self._closed: list[Link] = []

    def fileno(self) -> int:
        """Descriptor that is readable when `wait` has something to do."""
        return self._epoll.fileno()

    def add(self, link: Link) -> None:
        """Look after a link that was just made."""
        self._look_after_changed()  # the number may be that of one that closed
        number = link.fileno()
        link.changed = self._changed.add
        self._numbers[link] = number
        self._links[number] = link
        self._strangers.add(link)
        self._writing.add(link)
        self._epoll.register(number, select.EPOLLIN | select.EPOLLOUT)

    def listen(self, listener: Listener) -> None:
        """Take what connects to a listener."""
        self._listeners[listener.fileno()] = listener
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def wait(self, timeout_s: float) -> Ready:
        """Serve what is ready within a time, which the kernel counts in whole milliseconds."""
        if self._strangers:
            self._give_up_on_silent(time.monotonic_ns())
        if self._changed:
            self._look_after_changed()
        ready = Ready([], [], self._closed)
        for number, _ in self._epoll.poll(0.0 if self._closed else timeout_s):
            link = self._links.get(number)
            if link is None:
                self._accept(self._listeners[number])
            else:
                self._serve(link, ready)
        if self._changed:
            self._look_after_changed()
        self._closed = []
        return ready

    def close(self) -> None:
        """Leave every link in order, and take no more."""
        for link in tuple(self._numbers):
            link.close()
        for listener in self._listeners.values():
            listener.close()
        self._links.clear()
        self._strangers.clear()
        self._numbers.clear()
        self._epoll.close()

    def _look_after_changed(self) -> None:
        """Let go what closed, and wait for room where bytes wait."""
        while self._changed:
            link = self._changed.pop()
            if link.stage is Stage.CLOSED:
                self._forget(link)
            elif link.wants_write != (link in self._writing):
                self._watch_writing(link)

    def _give_up_on_silent(self, now_ns: int) -> None:
        for link in self._strangers:
            if now_ns - link.began_ns > self._greeting_ns:
                why, remedy = "it did not greet in time", "see that kapellmeister runs there"
                link.refuse(LinkError(link.peer, why, remedy))

    def _watch_writing(self, link: Link) -> None:
        wanted = select.EPOLLIN | (select.EPOLLOUT if link.wants_write else 0)
        self._epoll.modify(self._numbers[link], wanted)
        (self._writing.add if link.wants_write else self._writing.discard)(link)

    def _accept(self, listener: Listener) -> None:
        link = listener.accept()
        if link is None:
            return
        if len(self._strangers) < MOST_STRANGERS:
            self.add(link)
        else:
            link.close()

    def _serve(self, link: Link, ready: Ready) -> None:
        for frame in link.service():
            ready.frames.append((link, frame))
        if link in self._strangers:
            self._changed.add(link)
            if link.theirs is not None:
                self._strangers.discard(link)
                ready.opened.append(link)
        elif link in self._writing:
            self._changed.add(link)

    def _forget(self, link: Link) -> None:
        """Let a closed link go; its socket has left epoll by itself."""
        number = self._numbers.pop(link, None)
        if number is not None:
            del self._links[number]
            self._strangers.discard(link)
            self._writing.discard(link)
            self._closed.append(link)

"""A network between two ends of TCP: delay, jitter, loss, a cut, and one that only seems open."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from controller.executors.cluster.links.address import Address

RETRANSMISSION_S = 0.2
"""Seconds after which Linux sends again what was lost, at the least."""
SEGMENT_BYTES = 1448
"""Bytes of what is lost or held up at once: a segment on Ethernet."""
TURN_S = 0.0005


@dataclass
class Weather:
    """What the network does now; may be changed while it carries."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    is_half_open: bool = False


@dataclass
class Way:
    """One direction of one connection, and what is under way on it with its time of arrival."""

    source: socket.socket
    sink: socket.socket
    under_way: deque[tuple[float, bytes]] = field(default_factory=deque)
    is_over: bool = False


class Relay:
    """Passes bytes on between who connects to `address` and a target, as the weather lets it.

    TCP hides loss: a segment that is lost arrives later, and holds up all that follows it.
    """

    def __init__(self, target: Address, seed: int = 7) -> None:
        self.weather = Weather()
        self.lost = 0
        self._target = target
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._ways: list[Way] = []
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> Address:
        """Where to connect."""
        return Address("127.0.0.1", int(self._listener.getsockname()[1]))

    def cut(self) -> None:
        """Break every connection at both ends, at once."""
        with self._lock:
            for way in self._ways:
                no_linger = struct.pack("ii", 1, 0)
                way.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
                way.source.close()
            self._ways.clear()

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self._is_over.set()
        self._thread.join()
        self.cut()
        self._listener.close()

    def _run(self) -> None:
        while not self._is_over.wait(TURN_S):
            with self._lock:
                self._accept()
                for way in self._ways:
                    self._take_in(way)
                    self._let_arrive(way)

    def _accept(self) -> None:
        try:
            near, _ = self._listener.accept()
        except BlockingIOError:
            return
        far = socket.create_connection((self._target.host, self._target.port))
        for each in (near, far):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ways += [Way(near, far), Way(far, near)]

    def _take_in(self, way: Way) -> None:
        """Receive what the source sent; a half-open network reads and forgets."""
        try:
            data = way.source.recv(1 << 16)
        except OSError:
            return
        if not self.weather.is_half_open and not way.is_over:
            for begin in range(0, max(1, len(data)), SEGMENT_BYTES):
                segment = data[begin : begin + SEGMENT_BYTES]
                way.under_way.append((self._arrival_s(way), segment))
        way.is_over = way.is_over or not data

    def _arrival_s(self, way: Way) -> float:
        weather = self.weather
        is_lost = self._random.random() < weather.loss
        self.lost += is_lost
        late_s = weather.delay_s + self._random.uniform(0.0, weather.jitter_s)
        earliest_s = way.under_way[-1][0] if way.under_way else 0.0
        return max(time.monotonic() + late_s + RETRANSMISSION_S * is_lost, earliest_s)

    def _let_arrive(self, way: Way) -> None:
        while way.under_way and way.under_way[0][0] <= time.monotonic():
            arrival_s, data = way.under_way.popleft()
            try:
                sent = way.sink.send(data) if data else way.sink.shutdown(socket.SHUT_WR) or 0
            except BlockingIOError:
                sent = 0
            except OSError:
                return
            if sent < len(data):
                way.under_way.appendleft((arrival_s, data[sent:]))
                return


@contextmanager
def relayed(target: Address) -> Iterator[Relay]:
    """A relay to a target while the context lasts."""
    relay = Relay(target)
    try:
        yield relay
    finally:
        relay.close()

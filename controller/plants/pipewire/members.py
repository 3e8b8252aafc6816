"""Which processes a PipeWire server and its clients are: those of that very server, no others.

No client is asked of itself. The server tells who connected; whether this is still the same
process, and a client of no other server, is seen by the sockets of both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from controller.errors import ThreadGoneError
from controller.linux.process_id import ProcessId, identify_process
from controller.plants.pipewire.pw_dump import Client
from controller.plants.pipewire.sockets import sockets_of, unix_peers
from controller.sensors.cpu import PROC

LOOK_AGAIN_NS = 5_000_000_000
"""Interval, ns, of the search for clients that were not found: they may not have connected yet."""


class Members:
    """The server is found by the socket of a tool of ours that is connected to it.

    `listening` finds it where the kernel does not tell who is connected to whom.
    """

    def __init__(
        self,
        listening: Callable[[], Collection[ProcessId]],
        root: Path = PROC,
        peers: Callable[[], Mapping[int, int]] = unix_peers,
    ) -> None:
        self._listening = listening
        self._root = root
        self._ask_peers = peers
        self._clients: dict[Client, ProcessId | None] = {}
        self._looked_ns = 0
        self.server: ProcessId | None = None

    def find_server(self, tool: int, claimed: int) -> None:
        """Find the process that our tool is connected to; `claimed` is what it says it is."""
        peers = self._peers()
        theirs = {peers[each] for each in self._sockets(tool) or () if each in peers}
        if not theirs:
            found = [*self._listening()]
        elif self._holds(claimed, theirs):
            found = [*self._identified((claimed,))]
        else:
            holders = (each for each in self._pids() if self._holds(each, theirs))
            found = [*self._identified(holders)]
        claims = [each for each in found if each.pid == claimed]
        certain = claims or (found if len(found) == 1 else [])
        self.server = next(iter(certain), None)

    def clients(self, told: Collection[Client], now_ns: int) -> dict[int, ProcessId]:
        """The processes of these clients, by the ids of the clients; without those not found."""
        self._clients = {each: self._clients.get(each) for each in told if each in self._clients}
        if now_ns - self._looked_ns >= LOOK_AGAIN_NS:
            self._clients = {each: known for each, known in self._clients.items() if known}
        new = [each for each in told if each not in self._clients]
        if new:
            self._looked_ns = now_ns
            self._clients |= self._look_for(new)
        return {each.id: process for each, process in self._clients.items() if process}

    def _look_for(self, clients: Iterable[Client]) -> Iterator[tuple[Client, ProcessId | None]]:
        if self.server is None:
            return
        peers, served = self._peers(), self._sockets(self.server.pid) or set()
        theirs = {peers[each] for each in served if each in peers}  # none of another network
        trusted = self._counts_as_we_do(self.server)
        for client in clients:
            process = next(self._identified((client.pid,)), None)
            own = self._sockets(client.pid) if theirs else None
            connected = trusted if own is None else bool(own & theirs)
            yield client, process if connected else None

    def _counts_as_we_do(self, server: ProcessId) -> bool:
        """Whether numbers of processes mean the same to the server and to us."""
        places = [self._root / each / "ns/pid" for each in ("self", str(server.pid))]
        try:
            ours, its = (each.readlink() for each in places)
        except OSError:
            return False
        return ours == its

    def _peers(self) -> Mapping[int, int]:
        try:
            return self._ask_peers()
        except OSError:
            return {}

    def _holds(self, pid: int, sockets: set[int]) -> bool:
        return bool(sockets & (self._sockets(pid) or set()))

    def _sockets(self, pid: int) -> set[int] | None:
        """The sockets of a process; None where it has ended, or is not ours to look into."""
        try:
            return sockets_of(pid, self._root)
        except OSError:
            return None

    def _pids(self) -> Iterator[int]:
        return (int(each.name) for each in self._root.iterdir() if each.name.isdigit())

    def _identified(self, pids: Iterable[int]) -> Iterator[ProcessId]:
        for pid in pids:
            with contextlib.suppress(ThreadGoneError):
                yield identify_process(pid, self._root)

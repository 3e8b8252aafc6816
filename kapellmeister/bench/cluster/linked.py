"""Our links, as the cluster uses them: frames, epoll, bounded queues, and TLS where asked."""

from __future__ import annotations

from functools import partial

import numpy as np

from controller.executors.cluster.links.address import Address
from controller.executors.cluster.links.encryption.authority import Authority
from controller.executors.cluster.links.encryption.credentials import Credentials
from controller.executors.cluster.links.frame import Frame, Kind
from controller.executors.cluster.links.hello import Hello
from controller.executors.cluster.links.link import Link
from controller.executors.cluster.links.listener import Listener, connect
from controller.executors.cluster.links.poller import LinkPoller
from controller.executors.processes import ProcessGroup
from kapellmeister.bench.cluster.plane import PERIOD_FRAMES, Blocks, as_bytes, nothing_back, shares

PATIENCE_S = 10.0
VERSION = "bench"


class Linked:
    """A link a worker. Raises LinkError where one breaks."""

    def __init__(self, workers: int, group: ProcessGroup, authority: Authority | None) -> None:
        self._shares = shares(workers)
        self._returned = nothing_back()
        self._poller = LinkPoller()
        self._sequence = 0
        ours = None if authority is None else authority.issue("master")
        listener = Listener(Address("127.0.0.1", 0), Hello("master", VERSION), ours)
        for number in range(workers):
            theirs = None if authority is None else authority.issue(f"node-{number}")
            work = partial(_work, listener.address, f"node-{number}", theirs)
            group.start("bench links", "worker", work)
        self._poller.listen(listener)
        self._links: list[Link] = []
        while len(self._links) < workers:
            self._links += self._poller.wait(PATIENCE_S).opened

    def round(self, blocks: Blocks) -> Blocks:
        """To all workers and back."""
        self._sequence += 1
        for shard, (link, share) in enumerate(zip(self._links, self._shares, strict=True)):
            link.send(Frame(Kind.INPUT, as_bytes(blocks[share]), shard, 1, self._sequence))
        missing = len(self._links)
        while missing:
            ready = self._poller.wait(PATIENCE_S)
            for _, frame in ready.frames:
                share = self._shares[frame.shard]
                sound = np.frombuffer(frame.payload, np.float32)
                self._returned[share] = sound.reshape(-1, PERIOD_FRAMES)
                missing -= frame.sequence == self._sequence
            for link in ready.closed:
                raise link.error or RuntimeError(f"{link.peer} left in the middle of a round")
        return self._returned

    def close(self) -> None:
        """Leave all links."""
        self._poller.close()


def plain(workers: int, group: ProcessGroup) -> Linked:
    """Our links, not encrypted."""
    return Linked(workers, group, None)


def encrypted(workers: int, group: ProcessGroup) -> Linked:
    """Our links with TLS. Raises MissingExtraError."""
    return Linked(workers, group, Authority())


def _work(address: Address, name: str, credentials: Credentials | None) -> None:
    poller, link = LinkPoller(), connect(address, Hello(name, VERSION), credentials, "master")
    poller.add(link)
    while True:
        ready = poller.wait(PATIENCE_S)
        for master, frame in ready.frames:
            master.send(Frame(Kind.BUS, frame.payload, frame.shard, frame.epoch, frame.sequence))
        if ready.closed:
            return

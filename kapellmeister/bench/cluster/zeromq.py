"""ZeroMQ, a PAIR a worker, plain and with CURVE: a peer, where pyzmq is installed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import MissingExtraError
from controller.executors.processes import ProcessGroup
from kapellmeister.bench.cluster.plane import PERIOD_FRAMES, Blocks, as_bytes, nothing_back, shares

if TYPE_CHECKING:
    import zmq


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """Keys of both ends, each public and secret, as ZeroMQ writes them."""

    master: tuple[bytes, bytes]
    worker: tuple[bytes, bytes]


class ZeroMqPairs:
    """Sends to each worker in turn, then receives from each in turn.

    Workers are forked before this process has a thread of ZeroMQ's; a pipe tells them the port.
    """

    def __init__(self, workers: int, group: ProcessGroup, keys: CurveKeys | None) -> None:
        import zmq

        self._shares = shares(workers)
        self._returned = nothing_back()
        writers = [_started(group, keys) for _ in range(workers)]
        self._context = zmq.Context()
        self._sockets = [_bound(self._context, writer, keys) for writer in writers]

    def round(self, blocks: Blocks) -> Blocks:
        """To all workers and back."""
        for each, share in zip(self._sockets, self._shares, strict=True):
            each.send(as_bytes(blocks[share]))
        for each, share in zip(self._sockets, self._shares, strict=True):
            sound = np.frombuffer(each.recv(), np.float32)
            self._returned[share] = sound.reshape(-1, PERIOD_FRAMES)
        return self._returned

    def close(self) -> None:
        """Close the sockets, and end the threads."""
        self._context.destroy(linger=0)


def plain(workers: int, group: ProcessGroup) -> ZeroMqPairs:
    """Pairs that are not encrypted. Raises MissingExtraError."""
    _check_installed()
    return ZeroMqPairs(workers, group, None)


def curve(workers: int, group: ProcessGroup) -> ZeroMqPairs:
    """Pairs with CURVE. Raises MissingExtraError."""
    _check_installed()
    import zmq

    return ZeroMqPairs(workers, group, CurveKeys(zmq.curve_keypair(), zmq.curve_keypair()))


def _check_installed() -> None:
    try:
        import zmq  # noqa: F401 - whether it is there
    except ImportError as error:
        raise MissingExtraError("pyzmq", "bench") from error


def _started(group: ProcessGroup, keys: CurveKeys | None) -> int:
    """Start a worker; the descriptor that its port is to be written to."""
    reader, writer = os.pipe()
    group.start("bench zeromq", "worker", partial(_work, reader, keys))
    os.close(reader)
    return writer


def _bound(
    context: zmq.Context[zmq.Socket[bytes]], writer: int, keys: CurveKeys | None
) -> zmq.Socket[bytes]:
    import zmq

    pair = context.socket(zmq.PAIR)
    if keys is not None:
        pair.curve_server = True
        pair.curve_publickey, pair.curve_secretkey = keys.master
    port = pair.bind_to_random_port("tcp://127.0.0.1")
    os.write(writer, str(port).encode())
    os.close(writer)
    return pair


def _work(reader: int, keys: CurveKeys | None) -> None:
    import zmq

    port = os.read(reader, 16).decode()
    pair = zmq.Context().socket(zmq.PAIR)
    if keys is not None:
        pair.curve_serverkey = keys.master[0]
        pair.curve_publickey, pair.curve_secretkey = keys.worker
    pair.connect(f"tcp://127.0.0.1:{port}")
    while True:
        pair.send(pair.recv())

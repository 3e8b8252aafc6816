"""Bare blocking TCP: a connection a worker, no header, no bound, nothing noticed."""

from __future__ import annotations

import socket
from functools import partial

from controller.executors.processes import ProcessGroup
from kapellmeister.bench.cluster.plane import PERIOD_FRAMES, Blocks, as_bytes, nothing_back, shares


class BareTcp:
    """Sends to each worker in turn, then receives from each in turn."""

    def __init__(self, workers: int, group: ProcessGroup) -> None:
        self._shares = shares(workers)
        self._returned = nothing_back()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            self._connections = [
                _accepted(listener, group, partial(_work, address, share)) for share in self._shares
            ]

    def round(self, blocks: Blocks) -> Blocks:
        """To all workers and back."""
        for connection, share in zip(self._connections, self._shares, strict=True):
            connection.sendall(as_bytes(blocks[share]))
        for connection, share in zip(self._connections, self._shares, strict=True):
            _receive_all(connection, as_bytes(self._returned[share]))
        return self._returned

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def _accepted(listener: socket.socket, group: ProcessGroup, work: partial[None]) -> socket.socket:
    group.start("bench tcp", "worker", work)
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _work(address: tuple[str, int], share: slice) -> None:
    block = bytearray((share.stop - share.start) * PERIOD_FRAMES * 4)
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while _receive_all(connection, memoryview(block)):
            connection.sendall(block)


def _receive_all(connection: socket.socket, room: memoryview) -> int:
    """Fill the room, and say how many bytes came: fewer where the peer is gone."""
    return connection.recv_into(room, len(room), socket.MSG_WAITALL)

"""Real memberships, looked at from outside: their nodes, workers and processes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from awaited import until

from controller.executors.cluster.membership.membership import Membership, Node, count_states

Nodes = tuple[Node, ...]


def settled(membership: Membership, holds: Callable[[Nodes], Any], within_s: float = 30.0) -> Nodes:
    """The nodes, once this holds of them."""

    def asked() -> Nodes:
        membership.advance()
        nodes = membership.nodes()
        return nodes if holds(nodes) else ()

    return until(asked, within_s)


def ready(membership: Membership, count: int, within_s: float = 30.0) -> Nodes:
    """The nodes, once all are ready and so many."""
    return settled(
        membership, lambda nodes: counted(nodes)["ready"] == len(nodes) == count, within_s
    )


def replaced(membership: Membership, node: Node, count: int, within_s: float = 30.0) -> Nodes:
    """The nodes, once all are ready, so many, and that one is not among them."""

    def holds(nodes: Nodes) -> bool:
        others = all(each.name != node.name for each in nodes)
        return others and counted(nodes)["ready"] == len(nodes) == count

    return settled(membership, holds, within_s)


def counted(nodes: Nodes) -> dict[str, int]:
    """The number of nodes by state."""
    return {state.value: count for state, count in count_states(nodes).items()}


def parent(pid: int) -> int:
    """The process that started this one, which a launcher that became it had as well."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def dask_workers(membership: Any) -> set[int]:
    """The processes that the nodes of a membership are beside."""
    return {parent(node.pid) for node in membership.nodes() if isinstance(node.pid, int)}


def listening(pid: int) -> set[str]:
    """The IPv4 addresses, and `ipv6` for any other, that a process listens on by TCP."""
    links = (str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir())
    ours = {link[8:-1] for link in links if link.startswith("socket:[")}
    return {
        socket.inet_ntoa(bytes.fromhex(local[:8])[::-1]) if len(local) == 13 else "ipv6"
        for local, inode in _listeners(pid)
        if inode in ours
    }


def _listeners(pid: int) -> Iterator[tuple[str, str]]:
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                yield fields[1], fields[9]

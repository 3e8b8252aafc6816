"""The planes that are measured, by their names in the table."""

from __future__ import annotations

from kapellmeister.bench.cluster import linked, zeromq
from kapellmeister.bench.cluster.bare_tcp import BareTcp
from kapellmeister.bench.cluster.plane import Open
from kapellmeister.bench.cluster.shared_memory import SharedMemory

BARE, CURVE = "bare blocking TCP", "ZeroMQ PAIR with CURVE"
"""Names of what ours are held against."""
OURS, OURS_ENCRYPTED = "our links", "our links with TLS 1.3"
PLANES: dict[str, Open] = {
    "shared memory and eventfd": SharedMemory,
    BARE: BareTcp,
    OURS: linked.plain,
    OURS_ENCRYPTED: linked.encrypted,
    "ZeroMQ PAIR": zeromq.plain,
    CURVE: zeromq.curve,
}
"""Planes by name, the floor first."""
GOALS = {OURS: (BARE, 1.5), OURS_ENCRYPTED: (CURVE, 1.0)}
"""What a round of ours may take at most, as times that of another."""

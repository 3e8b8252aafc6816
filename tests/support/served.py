"""A port that is taken, and a run to show, for tests of served pages and metrics."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

RUN = {
    "plant": "fake",
    "policy": "scripted",
    "acting": None,
    "deadline_ms": 5.0,
    "target_miss_rate": 0.001,
    "interval_s": 1.0,
    "duration_s": None,
}


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]

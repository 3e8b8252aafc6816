"""The lines by which a node says how it stands, one JSON object a line on its output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

LONGEST_LINE_BYTES = 4096
"""Bytes of a line, beyond which it is cut: a node has little to say here."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message of a node: that it is ready, listening at `address` where it does, or `reason`.

    A node that is not ready yet says by `reason` what it is at, and one that gives up, why.
    """

    is_ready: bool
    reason: str = ""
    address: str | None = None


def ready_line(address: str | None = None) -> str:
    """The line of a node whose kernels are compiled; `address` is HOST:PORT if it listens."""
    return json.dumps({"ready": True, "address": address})


def reason_line(reason: str) -> str:
    """The line of a node that is not ready, with what it waits for or why it ends."""
    return json.dumps({"ready": False, "reason": reason})


def parse_line(line: bytes) -> Told | None:
    """The message of a line; None for a line of anything else, such as a library's greeting."""
    try:
        told = json.loads(line[:LONGEST_LINE_BYTES])
    except ValueError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("ready"), bool):
        return None
    return Told(told["ready"], _text(told.get("reason")) or "", _text(told.get("address")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None

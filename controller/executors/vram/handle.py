"""What the holder of an allocation keeps: a name for it that goes stale, never an address."""

from __future__ import annotations

from dataclasses import dataclass

from controller.executors.vram.usage import Usage


@dataclass(frozen=True, slots=True)
class Handle:
    """One allocation: its place in the manager's table, and how often that place was given away.

    `size_bytes` is what was asked for. Where it lies, the manager alone knows, since it may move.
    """

    id: int
    generation: int
    size_bytes: int
    usage: Usage
    owner: str

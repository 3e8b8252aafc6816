"""Who is measured: the arena, and the peers, each new for every trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.executors.vram.account import Account
from controller.executors.vram.backings.null import NullBacking
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager
from kapellmeister.bench.vram.peers import BestFit, SizeClasses
from policies.observation import fresh

GIB = float(1 << 30)


@dataclass(frozen=True, slots=True)
class State:
    """The state of an allocator after a trace, by its own account."""

    internal_fragmentation: float
    moved_gib: float = 0.0
    passes: int = 0
    pass_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Subject:
    """An allocator by name, how it is made for a size in bytes, and how its state is read."""

    name: str
    make: Callable[[int], Any]
    state: Callable[[Any], State]


def arena(size_bytes: int, block_bytes: int = VRAMConfig().block_bytes) -> VRAMManager:
    """Our allocator, over offsets alone."""
    return VRAMManager(NullBacking(size_bytes), VRAMConfig(block_bytes=block_bytes))


def patient_arena(size_bytes: int) -> VRAMManager:
    """Our allocator, where an allocation may wait until all of the arena was moved."""
    return VRAMManager(NullBacking(size_bytes), VRAMConfig(inline_bytes=size_bytes))


def arena_state(manager: VRAMManager) -> State:
    """State of our allocator, from its account."""
    account: Account = manager.account()
    passes = account.passes
    return State(
        internal_fragmentation=fresh(account.internal_fragmentation) or 0.0,
        moved_gib=account.defragmented_bytes / GIB,
        passes=passes,
        pass_ms=1000.0 * account.defragmentation_s / passes if passes else 0.0,
    )


def peer_state(peer: BestFit) -> State:
    """A peer's, which never moves anything."""
    return State(peer.internal_fragmentation)


SUBJECTS = (
    Subject("kapellmeister", arena, arena_state),
    Subject(BestFit.name, BestFit, peer_state),
    Subject(SizeClasses.name, SizeClasses, peer_state),
)
"""Measured in turn, in this order."""
PATIENT = Subject("kapellmeister, any number of bytes moved", patient_arena, arena_state)
"""The arena, not held to a time."""

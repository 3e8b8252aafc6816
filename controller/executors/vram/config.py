"""How much device memory the arena takes, and how it is shared out."""

from __future__ import annotations

from dataclasses import dataclass

from controller.errors import ConfigurationError
from policies.objective import Priority

ALIGNMENT_BYTES = 256
"""Bytes that every offset is a multiple of, as cudaMalloc aligns."""
SMALLEST_BLOCK_BYTES, LARGEST_BLOCK_BYTES = 1 << 14, 1 << 22
"""Bytes of a slab, at the least and at the most."""


@dataclass(frozen=True, slots=True)
class VRAMConfig:
    """`total_bytes`, or else `share_of_free` of what is free at the start.

    `block_bytes` is the size of a slab, a power of two. `priority` says whose streams yield last.
    `inline_bytes` is the most that one allocation may have moved to make room for itself, which
    its caller waits for: 128 MiB take 0.1 ms where 1.3 TB/s are copied. Raises ConfigurationError.
    """

    total_bytes: int | None = None
    share_of_free: float = 0.8
    block_bytes: int = 1 << 17
    priority: Priority = Priority.AUDIO
    inline_bytes: int = 1 << 27

    def __post_init__(self) -> None:
        """Refuse what no arena can have."""
        if not 0.0 < self.share_of_free <= 1.0:
            why = f"{self.share_of_free:g} is no share"
            raise ConfigurationError("vram", "share_of_free", why, "give more than 0, at most 1")
        check_block_bytes(self.block_bytes, self.total_bytes)

    def arena_bytes(self, free_bytes: int) -> int:
        """Bytes to take of a device that has so many free. Raises ConfigurationError."""
        wanted = self.total_bytes or int(self.share_of_free * free_bytes)
        if wanted > free_bytes:
            raise too_large(wanted, free_bytes)
        check_block_bytes(self.block_bytes, wanted)
        return wanted // ALIGNMENT_BYTES * ALIGNMENT_BYTES


def too_large(wanted_bytes: int, free_bytes: int) -> ConfigurationError:
    """The error of an arena that the device has no room for."""
    why = f"{wanted_bytes:,} bytes are more than the {free_bytes:,} that are free"
    remedy = "give less, or end the programs that hold the device's memory"
    return ConfigurationError("vram", "total_mib or share_of_free", why, remedy)


def check_block_bytes(block_bytes: int, total_bytes: int | None) -> None:
    """Raise ConfigurationError for a size that no slab of such an arena can have."""
    remedy = "give a power of two from 16384 to 4194304"
    if (
        not SMALLEST_BLOCK_BYTES <= block_bytes <= LARGEST_BLOCK_BYTES
        or block_bytes.bit_count() > 1
    ):
        why = f"{block_bytes:,} bytes are no size for a block"
        raise ConfigurationError("vram", "block_bytes", why, remedy)
    if total_bytes is not None and block_bytes > total_bytes:
        why = f"{block_bytes:,} bytes are more than the {total_bytes:,} of the arena"
        raise ConfigurationError("vram", "block_bytes", why, "give more memory, or a smaller block")

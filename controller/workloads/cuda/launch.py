"""How many threads run a kernel, by the sizes of its work."""

from __future__ import annotations

from dataclasses import dataclass

WARP = 32
"""Threads that run in step, and what a block is a multiple of."""

FILTERED_ROWS = WARP
"""Rows per chunk of `biquad_bank` at which a warp filters one stream a thread."""

SUMMED_ROWS = 32
"""Rows per chunk of `sum_streams` that give 4,096 streams a block or more a multiprocessor."""

MIXING_BLOCKS_PER_MULTIPROCESSOR = 4
"""Blocks of mixing that a multiprocessor holds at 256 frames: 288 threads of 54 registers each."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The threads of one launch: blocks, threads of each, and bytes of shared memory each asks for.

    Shared memory that a kernel declares with a fixed size is not counted here.
    """

    grid: tuple[int, int]
    block: tuple[int, int]
    shared_bytes: int = 0


def pieces(whole: int, piece: int) -> int:
    """How many pieces hold the whole, the last perhaps in part."""
    return -(-whole // piece)


def even_threads(work: int, at_most: int) -> int:
    """Threads of a block, in whole warps, so that few of few blocks are left without work."""
    return pieces(pieces(work, pieces(work, at_most)), WARP) * WARP


def mixed_rows(rows: int, multiprocessors: int) -> int:
    """Rows per chunk of `mix_spectra` that fill every multiprocessor with blocks, once."""
    return max(1, pieces(rows, multiprocessors * MIXING_BLOCKS_PER_MULTIPROCESSOR))

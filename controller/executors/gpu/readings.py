"""The board of a device worker as readings: levels as they are, counts as rates and shares."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from controller.executors.gpu.board import Board
from policies.observation import Missing, Reading, Value

LEVELS: Mapping[str, str] = MappingProxyType(
    {
        "arena_bytes": "arena_bytes",
        "arena_used_bytes": "used_bytes",
        "arena_largest_free_bytes": "largest_free_bytes",
        "owner_audio_bytes": "owner_audio_bytes",
        "owner_analysis_bytes": "owner_analysis_bytes",
        "owner_visualisation_bytes": "owner_visualisation_bytes",
        "owner_cache_bytes": "owner_cache_bytes",
        "owner_workspace_bytes": "owner_workspace_bytes",
        "fragmentation_share": "fragmentation_share",
        "allocation_wait_us": "allocation_wait_us",
        "transfer_in_ms": "transfer_in_ms",
        "compute_ms": "compute_ms",
        "transfer_out_ms": "transfer_out_ms",
    }
)
"""Figure of the board behind each reading that is a level; not a number where there is none."""
RATES: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "in_bytes_per_s": ("in_bytes", 1.0),
        "out_bytes_per_s": ("out_bytes", 1.0),
        "launches_per_s": ("launches", 1.0),
        "replays_per_s": ("batches", 1.0),
        "allocations_full_per_s": ("failures_full", 1.0),
        "allocations_fragmented_per_s": ("failures_fragmented", 1.0),
        "defragmented_bytes_per_s": ("defragmented_bytes", 1.0),
        "busy_share": ("busy_ns", 1e-9),
    }
)
"""Count behind each reading that is a rate, and what it is multiplied by."""
SHARES: Mapping[str, tuple[str, str, float]] = MappingProxyType(
    {
        "transfer_share": ("transfer_ns", "busy_ns", 1.0),
        "slab_hit_share": ("slab_hits", "allocations", 1.0),
        "cache_hit_share": ("cache_hits", "cache_lookups", 1.0),
        "defragmentation_ms": ("defragmentation_ns", "defragmentation_passes", 1e-6),
    }
)
"""Counts whose quotient each of these readings is, and what it is multiplied by."""
COUNTS = sorted(
    {count for count, _ in RATES.values()}
    | {count for pair in SHARES.values() for count in pair[:2]}
)
NOT_AT_WORK = Missing("the worker of the device is not at work")
FIRST = Missing("first reading")
NONE_YET = Missing("there was none in this interval")


class BoardReadings:
    """Readings by name, over the interval since the last call."""

    def __init__(self, board: Board, now_s: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._now_s = now_s
        self._before: tuple[float, Mapping[str, int]] | None = None

    def read(self, *, is_at_work: bool) -> dict[str, Reading]:
        """All readings, `gpu.arena_bytes` and so on; each is missing while no worker is at work."""
        now_s, counts = self._now_s(), {name: self._board.count(name) for name in COUNTS}
        before, self._before = self._before, (now_s, counts) if is_at_work else None
        if not is_at_work:
            told: dict[str, Reading] = dict.fromkeys((*LEVELS, *RATES, *SHARES), NOT_AT_WORK)
        else:
            told = {name: _level(self._board.read(figure)) for name, figure in LEVELS.items()}
            told |= _changes(before, now_s, counts)
        return {f"gpu.{name}": each for name, each in told.items()}


def _level(figure: float) -> Reading:
    return Missing("there is none yet") if math.isnan(figure) else Value(figure)


def _changes(
    before: tuple[float, Mapping[str, int]] | None, now_s: float, counts: Mapping[str, int]
) -> dict[str, Reading]:
    """Rates and shares since then; missing after a new worker has begun to count."""
    if before is None or any(counts[name] < before[1][name] for name in COUNTS):
        return dict.fromkeys((*RATES, *SHARES), FIRST)
    elapsed_s = max(now_s - before[0], 1e-9)
    more = {name: counts[name] - before[1][name] for name in COUNTS}
    found: dict[str, Reading] = {
        name: Value(factor * more[count] / elapsed_s) for name, (count, factor) in RATES.items()
    }
    for name, (part, whole, factor) in SHARES.items():
        found[name] = Value(factor * more[part] / more[whole]) if more[whole] else NONE_YET
    return found

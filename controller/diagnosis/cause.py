"""A cause that holds blocks up."""

from __future__ import annotations

from dataclasses import dataclass

from policies.diagnosis import Bottleneck

CAPACITY = ("batch_size", "nodes", "period_frames")
"""Knobs that make room for more work, the cheapest first."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A bottleneck, in words, and the knobs that ease it, cheapest first."""

    bottleneck: Bottleneck
    summary: str
    knobs: tuple[str, ...] = ()

"""A figure held against its goal: what was asked for, and whether it was met."""

from __future__ import annotations

TOO_LITTLE = "too little data"


def at_most(measured: float | None, limit: float, unit: str = "") -> str:
    """`<= 2 s: met`; a figure that is None was not to be had."""
    return judged(f"<= {limit:,g}{unit}", None if measured is None else measured <= limit)


def at_least(measured: float | None, limit: float, unit: str = "") -> str:
    """`>= 100: not met`; a figure that is None was not to be had."""
    return judged(f">= {limit:,g}{unit}", None if measured is None else measured >= limit)


def within(error: float | None, share: float) -> str:
    """`within 5 %: met`; either way, as a share."""
    return judged(f"within {share:.0%}", None if error is None else abs(error) <= share)


def judged(goal: str, met: bool | None) -> str:
    """A goal in words of its own."""
    return f"{goal}: {TOO_LITTLE if met is None else 'met' if met else 'not met'}"

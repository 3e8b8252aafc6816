"""Bytes per block of device memory."""

from __future__ import annotations

from policies.knobs import Choice


def smaller(domain: Choice, block_bytes: int) -> int | None:
    """The next smaller block, which wastes less memory; None where there is none."""
    values = [value for value in domain.values if isinstance(value, int) and value < block_bytes]
    return max(values, default=None)

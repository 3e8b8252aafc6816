"""Noise by name: a draw depends on what it is for, never on how many came before it."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def uniform(seed: int, *names: int) -> float:
    """A number from [0, 1) that belongs to these names; SplitMix64 (Steele et al., 2014)."""
    state = seed & _MASK
    for name in names:
        state = _mixed((state ^ _mixed(name & _MASK)) & _MASK)
    return _mixed(state) / 2.0**64


def _mixed(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)

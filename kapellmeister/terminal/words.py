"""Figures in words; one that is not known is said to be so."""

from __future__ import annotations


def figure(value: float | None, form: str, absent: str = "-") -> str:
    """A figure in a form of `format`, or the word for one that there is not."""
    return absent if value is None else format(value, form)


def percent(share: float | None) -> str:
    """A share in words."""
    return figure(share, ".3%", "unknown")


def ms(value: float | None) -> str:
    """Milliseconds in words."""
    return "unknown" if value is None else f"{value:.2f} ms"


def mib(value: float | None) -> str:
    """Memory in words."""
    return "unknown memory" if value is None else f"{value:.0f} MiB"


def size(value_bytes: float) -> str:
    """A number of bytes in words."""
    amount, unit = value_bytes, "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1000:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.3g} {unit}"

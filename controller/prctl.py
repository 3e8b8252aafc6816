"""What a process asks of the kernel for itself; without numpy, since small processes ask too."""

from __future__ import annotations

import ctypes

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def die_with_parent(signal_number: int) -> None:
    """Receive this signal when the parent ends; 0 for none."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def name_process(name: str) -> None:
    """Show a telling name in ps and top, 15 characters at most."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)

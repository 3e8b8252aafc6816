"""Requests of a process to the kernel for itself; without numpy, since small processes ask too."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_LAUNCHER = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, int(sys.argv[2]), 0, 0, 0)
if os.getppid() == int(sys.argv[1]):  # it may have ended before the kernel was asked
    os.execvp(sys.argv[3], sys.argv[3:])
"""


def die_with_parent(signal_number: int) -> None:
    """Receive this signal when the parent ends; 0 for none."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def dying_with_parent(*command: str, signal_number: int = signal.SIGTERM) -> tuple[str, ...]:
    """The command of a program that does not ask by itself: it has this signal when we end.

    The parent is the thread that starts it. What may be stopped by SIGSTOP ends by SIGKILL only.

    A launcher asks in its place. A `preexec_fn` could as well, yet it would run the hooks of a
    fork in this process, and these swallow what a handler of signals raises meanwhile.
    """
    return (
        sys.executable,
        "-IS",
        "-c",
        _LAUNCHER,
        str(os.getpid()),
        str(int(signal_number)),
        *command,
    )


def name_process(name: str) -> None:
    """Show a telling name in ps and top, 15 characters at most."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)

"""Waiting for what real processes do in their own time, and no longer than need be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
EVERY_S = 0.02


def until(ask: Callable[[], T], patience_s: float = 15.0) -> T:
    """The answer, as soon as it is not empty; fails after `patience_s`."""
    give_up_s = time.monotonic() + patience_s
    while not (told := ask()):
        assert time.monotonic() < give_up_s, f"{ask} told nothing in {patience_s} s"
        threading.Event().wait(EVERY_S)
    return told

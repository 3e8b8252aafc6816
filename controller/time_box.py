"""A limit of time for calls into anyone's code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import ClassVar, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class TimeBox:
    """Breaks off a call that is still being made at two alarms, which are `longest_s` apart.

    One alarm clock rings for all calls alike, since setting it for each would cost as much as
    many of them do. What is broken off raises a TimeoutError, at the next line of Python; one
    that swallows it meets the next in its handler.
    Works in the main thread of a process only, which is where the loop runs.
    """

    at_work: ClassVar[bool] = False
    """Flag that is set while one of them has the alarm clock."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._busy = False
        self._calls = 0
        self._heard = -1
        self._broken_off = -1
        self._stubborn = False

    def __enter__(self) -> Self:
        TimeBox.at_work = True
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._longest_s, self._longest_s)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        TimeBox.at_work = False

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result, in time. Raises TimeoutError, and what the function raises."""
        self._calls += 1
        self._busy = True
        try:
            return function(*args, **kwargs)
        finally:
            self._busy = False
            if self._stubborn:
                self._stubborn = False
                sys.settrace(None)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        del number
        if not self._busy or self._heard != self._calls:
            self._heard = self._calls
            return
        why = f"took longer than {self._longest_s:g} s"
        if self._broken_off == self._calls and frame is not None:
            self._stubborn = True
            frame.f_trace = partial(_break_off, why)
            sys.settrace(lambda *_: None)
        self._broken_off = self._calls
        raise TimeoutError(why)


def _break_off(why: str, frame: FrameType, event: str, argument: object) -> None:
    """Raise at the next line, which is in the handler of a call that swallows what is raised."""
    del frame, event, argument
    raise TimeoutError(why)

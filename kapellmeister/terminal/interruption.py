"""Ctrl-C ends a command with one line and the status that shells know, never a traceback.

Imports little, since it is at work while everything else is still loading.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from controller.errors import Interruption

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def at_once() -> Iterator[None]:
    """Have Ctrl-C leave on the spot: nothing is begun yet that would have to be ended."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        print(f"kapellmeister: {Interruption()}", file=sys.stderr, flush=True)
        os._exit(Interruption.status)

    with _heard_by(end):
        yield


@contextmanager
def awaited() -> Iterator[None]:
    """Raise Interruption once Ctrl-C has broken off what is in here, whatever came of that.

    Compiled extensions and policies may have made another error of it.
    """
    asked = False

    def break_off(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del number, frame
        asked = True
        raise KeyboardInterrupt

    with _heard_by(break_off):
        try:
            yield
        except Interruption:
            raise
        except BaseException as error:
            if asked:
                raise Interruption from error
            raise
        if asked:
            raise Interruption


@contextmanager
def also_terminated() -> Iterator[None]:
    """Let what is in here be broken off by SIGTERM and by a closed terminal as well."""

    def break_off(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Interruption

    with _heard_by(break_off, signal.SIGTERM), _heard_by(break_off, signal.SIGHUP):
        yield


@contextmanager
def keeping(what: str) -> Iterator[None]:
    """Say what is kept of the work in here, if Ctrl-C breaks it off."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interruption(what) from error


@contextmanager
def _heard_by(handler: Handler, number: int = signal.SIGINT) -> Iterator[None]:
    """A signal is for the handler, unless whoever started this process wants it ignored."""
    before = signal.getsignal(number)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)

"""Jobs of a few lines, to be played anywhere."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Doubling:
    """Gives twice its number; `files` are those it says it reads."""

    number: int
    files: tuple[Path, ...] = ()

    def play(self, progress: Callable[[float], None]) -> int:
        progress(0.5)
        print("a word of a plug-in")
        return 2 * self.number


@dataclass(frozen=True)
class Leaving:
    """Ends the process that it is played in."""

    files: tuple[Path, ...] = ()

    def play(self, progress: Callable[[float], None]) -> int:
        os._exit(3)


@dataclass(frozen=True)
class Raising:
    """Raises what no experiment can go on with."""

    files: tuple[Path, ...] = ()

    def play(self, progress: Callable[[float], None]) -> int:
        raise LookupError("nothing there")


@dataclass(frozen=True)
class Lasting:
    """Says in a file which process plays it, and lasts until that is killed, or `door` is there."""

    folder: Path
    files: tuple[Path, ...] = ()

    def play(self, progress: Callable[[float], None]) -> int:
        (self.folder / f"{os.getpid()}").write_text(str(os.getppid()))
        while not (self.folder / "door").exists():
            threading.Event().wait(0.05)
        return os.getpid()


@dataclass(frozen=True)
class Masked:
    """Tells whether Ctrl-C is blocked, the threads of libraries, and whether stdout is stderr."""

    files: tuple[Path, ...] = ()

    def play(self, progress: Callable[[float], None]) -> tuple[bool, str, bool]:
        blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        same = os.fstat(1).st_ino == os.fstat(2).st_ino
        return blocked, os.environ["OMP_NUM_THREADS"], same


class Taken(dict):
    """What an executor gave, by number, and the progress that it told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[float] = []

    def of(self, executor, *jobs) -> Taken:
        executor.play(jobs, self.__setitem__, self.told.append)
        return self

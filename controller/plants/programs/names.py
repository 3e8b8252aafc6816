"""The names that a process goes by: those that ps shows, and those that a person gives it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath

from controller.linux.process_id import PROC, ProcessId, ProcessStat, read_process
from controller.plants.programs.interpreters import file_name, is_interpreter, program_of

NAME_BYTES = 15
"""Length, bytes, at which the kernel cuts off the name of a process."""
REPLACED = " (deleted)"
"""Suffix by the kernel of the path of an executable that was replaced or removed."""
SUFFIXES = frozenset(
    (
        *(".py", ".pyw", ".pyc", ".pyz", ".pl", ".rb", ".sh", ".bash", ".lua", ".php", ".tcl"),
        *(".js", ".mjs", ".cjs", ".ts", ".scm", ".rkt", ".jl", ".jar", ".dll", ".exe"),
    )
)
"""Suffixes of a program's name that a person leaves out."""
SHOWN_CHARACTERS = 60
LONGEST_LINE = 1 << 14
MODULE = re.compile("-[a-zA-Z]*m")
"""The option by which Python is given a module, whose package is a name as well."""


class Fit(Enum):
    """How a name fits a process."""

    NAME = "its own"
    SHORTENED = "its own without a suffix"
    INTERPRETER = "that of the interpreter which runs it"


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A process, and how it was started.

    `executable` is its path, empty where that cannot be seen, and `program` what it runs, where
    it is an interpreter.
    """

    stat: ProcessStat
    executable: str
    arguments: tuple[str, ...]
    program: str | None
    root: Path = PROC

    @property
    def process(self) -> ProcessId:
        """Id and start of the process."""
        return self.stat.process

    @property
    def name(self) -> str:
        """Name of the main thread."""
        return os.fsdecode(self.stat.name)

    @property
    def is_run_by_interpreter(self) -> bool:
        """Whether its executable is another program's."""
        return self.program is not None

    @property
    def key(self) -> object:
        """A value that two processes of one program share, and those of two programs do not."""
        if self.program is not None:
            return tuple(self._paths())
        return self.arguments if any(map(is_interpreter, self._files())) else self.executable

    def control_groups(self) -> str:
        """The control groups that it is in, as /proc/PID/cgroup lists them."""
        try:
            path = self.root / str(self.process.pid) / "cgroup"
            return path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""

    def fit(self, wanted: str) -> Fit | None:
        """How a name, a path or a command line fits it; None where it does not."""
        if self._is_named(wanted) or self._lies_at(wanted) or self._is_called(wanted):
            return Fit.NAME
        files = [file_name(self.program)] if self.program is not None else self._files()
        if any(PurePath(each).stem == wanted and _is_left_out(each) for each in files):
            return Fit.SHORTENED
        return Fit.INTERPRETER if wanted in (self.name, *self._files()) else None

    def own_names(self) -> set[str]:
        """All names of the process, without those of an interpreter that runs it."""
        names = {self.name, *self._full_names()}
        return {each for each in names if not is_interpreter(each)}

    def __str__(self) -> str:
        called = (*map(file_name, self.arguments[:1]), *self.arguments[1:])
        words = " ".join(called) or self.name
        if len(words) > SHOWN_CHARACTERS:
            words = f"{words[: SHOWN_CHARACTERS - 3]}..."
        return f"{in_a_line(words)} (process {self.process.pid})"

    def _is_named(self, wanted: str) -> bool:
        if is_interpreter(wanted):
            return False
        full = self._full_names()
        if wanted in full:
            return True
        name = self.stat.name
        if _cut_off(wanted) != name and wanted != self.name.strip():
            return False
        if self.program is not None and wanted in self._files():
            return False
        # Of several programs whose names begin alike, each has a full name that tells.
        return wanted == self.name or not any(os.fsencode(each).startswith(name) for each in full)

    def _full_names(self) -> set[str]:
        """Names that nobody has cut off, without those of an interpreter."""
        if self.program is None:
            return set(self._files())
        names = {self.program, file_name(self.program)}
        if file_name(self.program) == "__main__.py":
            names.add(PurePath(self.program).parent.name)
        if any(map(MODULE.fullmatch, self.arguments[1:])):
            names.add(self.program.partition(".")[0])
        return names

    def _files(self) -> list[str]:
        """The executable's name, and the one by which it was called."""
        names = [file_name(self.executable)] if self.executable else []
        if self.arguments and self.arguments[0]:
            first = self.arguments[0]
            called = file_name(first.removeprefix("-"))  # of a shell at login
            if " " in first and names and called not in names:  # a title that it wrote there
                names.append(file_name(first.split()[0].rstrip(":")))
            names.append(called)
        return names

    def _lies_at(self, wanted: str) -> bool:
        """Whether `wanted` is its path, or the end of it."""
        if os.sep not in wanted:
            return False
        path = os.path.normpath(os.path.expanduser(wanted))  # noqa: PTH111 - Path would refuse
        paths = set(self._paths())
        if os.path.isabs(path):  # noqa: PTH117 - a string all along
            return bool({path, os.path.realpath(path)} & paths)
        return any(each.endswith(os.sep + path) for each in paths)

    def _paths(self) -> Iterator[str]:
        if self.program is None:
            yield self.executable
        called = self.program or "".join(self.arguments[:1])
        if self.program is None and os.sep not in called:
            return  # found on a path that we do not know
        folder = ""
        with contextlib.suppress(OSError):
            folder = os.readlink(self.root / str(self.process.pid) / "cwd")  # noqa: PTH115
        yield os.path.normpath(os.path.join(folder, called))  # noqa: PTH118

    def _is_called(self, wanted: str) -> bool:
        """Whether its command line is `wanted`, or begins so."""
        if " " not in wanted.strip():
            return False
        return f"{' '.join(self.arguments)} ".startswith(f"{wanted.strip()} ")


def read_running(pid: int, root: Path = PROC) -> RunningProcess:
    """The process that has this id now; ThreadGoneError where none has."""
    stat = read_process(pid, root)
    if stat.is_kernel:
        return RunningProcess(stat, "", (), None, root)
    executable = ""
    with contextlib.suppress(OSError):  # not ours to see, or gone meanwhile
        executable = os.readlink(f"{root}/{pid}/exe").removesuffix(REPLACED)  # noqa: PTH115
    arguments = _arguments(pid, root)
    names = [file_name(each) for each in (executable, *arguments[:1]) if each]
    program = program_of(names, arguments) or _script(stat, arguments, root)
    return RunningProcess(stat, executable, arguments, program, root)


def in_a_line(words: str) -> str:
    """The words as any terminal can show them: a name may hold any byte."""
    plain = words.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in plain)


def _arguments(pid: int, root: Path) -> tuple[str, ...]:
    try:
        with open(f"{root}/{pid}/cmdline", "rb", buffering=0) as file:  # noqa: PTH123 - of every process
            line = file.read(LONGEST_LINE)
    except OSError:
        return ()
    return tuple(map(os.fsdecode, line.rstrip(b"\0").split(b"\0"))) if line else ()


def _script(stat: ProcessStat, arguments: tuple[str, ...], root: Path) -> str | None:
    """The script that an interpreter runs which we do not know.

    The kernel names the process after it. A program may do so with any argument of its own.
    """
    for each in arguments[1:3]:
        if _cut_off(file_name(each)) == stat.name:
            return each if _is_script(Path(root, str(stat.process.pid), "cwd", each)) else None
    return None


def _is_script(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would keep us
            return False
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _cut_off(name: str) -> bytes:
    return os.fsencode(name)[:NAME_BYTES]


def _is_left_out(name: str) -> bool:
    return PurePath(name).suffix.lower() in SUFFIXES

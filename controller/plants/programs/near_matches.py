"""Remarks on a program whose name means no process, or several, and what may be meant instead."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from controller.linux.control_group import is_group
from controller.plants.programs.interpreters import file_name
from controller.plants.programs.matching import fitting, is_id, meant_by
from controller.plants.programs.names import Fit, RunningProcess, in_a_line

SHOWN = 3
"""Number of processes that are named at most."""
Guesses = tuple[tuple[str, Callable[[RunningProcess, str], bool]], ...]
SHORTEST = 3
"""Length of a name, characters, below which it is part of too many others."""


def remark(
    program: str, running: Sequence[RunningProcess], named_at: int | None = None
) -> str | None:
    """A line for whoever named it; None where its name is its own, and it runs."""
    if is_group(program):
        return None
    if is_id(program):
        gone = _gone(program, running, named_at)
        return None if gone is None else f"{gone}; it is left out"
    meant = meant_by(program, running)
    if not meant and (found := _of_the_kernel(program, running)) is not None:
        return f"{found}; it is left out"
    if not meant:
        return f"{none_runs([program], running)}; it is looked for as long as the run lasts"
    if len({each.key for each in meant}) > 1:
        return f"{in_a_line(program)} is the name of several programs: {_listed(meant)}"
    if not meant[0].is_run_by_interpreter:
        return None
    is_other = meant[0].fit(program) is Fit.INTERPRETER
    how = "is an interpreter, and runs" if is_other else "is run by an interpreter"
    return f"{in_a_line(program)} {how}: {_listed(meant)}{_started(meant, running)}"


def _started(meant: Sequence[RunningProcess], running: Sequence[RunningProcess]) -> str:
    """The programs that a script has started, which its name does not mean."""
    own = {each.process.pid for each in meant}
    children = [each for each in running if each.stat.parent in own and each.process.pid not in own]
    return f", which started {_listed(children)}: name that, where it plays" if children else ""


def none_runs(
    wanted: Sequence[str], running: Sequence[RunningProcess], named_at: int | None = None
) -> str:
    """Words for whoever named programs none of which runs, with those that may be meant."""
    others = _without_those_above(running)
    ids = [each for each in wanted if is_id(each)]
    several = {each: fits for each in wanted if (fits := _several(each, others))}
    kernels = {each: found for each in wanted if (found := _of_the_kernel(each, running))}
    absent = [each for each in wanted if each not in (*several, *kernels, *ids)]
    words = [_gone(each, running, named_at) for each in ids]
    words += [found for each, found in kernels.items() if each not in ids]
    words += [
        f"{in_a_line(each)} is an interpreter, and runs several programs: {_listed(found)}"
        for each, found in several.items()
    ]
    if absent:
        words.append(f"no process {in_a_line(', '.join(absent))} runs")
    words += [_instead(each, others) for each in absent]
    return "; ".join(filter(None, words))


def _gone(number: str, running: Sequence[RunningProcess], named_at: int | None) -> str | None:
    """Words for an id whose process has ended; None where it runs."""
    now = meant_by(number, running)
    if not now and (found := _of_the_kernel(number, running)) is not None:
        return found
    if not now:
        thread = _instead(number, running, GUESSES_OF_A_NUMBER)
        return "; ".join(filter(None, (f"no process {number} runs", thread)))
    if named_at is None or now[0].process.start_time <= named_at:
        return None
    return f"process {number} has ended, and another has its number: {now[0]}"


def _of_the_kernel(program: str, running: Sequence[RunningProcess]) -> str | None:
    """Words for a thread of the kernel that has this id or name, as ps shows it; else None."""
    for each in running:
        names = str(each.process.pid), each.name, f"[{each.name}]"
        if each.stat.is_kernel and program in names:
            return f"{each} is a thread of the kernel, and no program"
    return None


def _several(program: str, running: Sequence[RunningProcess]) -> list[RunningProcess]:
    """The programs that an interpreter of this name runs."""
    return fitting(program, running)[Fit.INTERPRETER]


def _instead(
    program: str, running: Sequence[RunningProcess], guesses: Guesses | None = None
) -> str | None:
    """Words for what else may have been meant: the first of the guesses that fits any process."""
    for words, guess in guesses or GUESSES:
        found = [each for each in running if not each.stat.is_kernel and guess(each, program)]
        if found:
            return f"found instead: {words}{_listed(found)}"
    return None


def _listed(found: Sequence[RunningProcess]) -> str:
    shown = ", ".join(map(str, found[:SHOWN]))
    more = len(found) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _is_like(running: RunningProcess, program: str) -> bool:
    """Whether a name of its own holds this one, or is held by it."""
    wanted = file_name(program).casefold()
    names = [each.casefold() for each in running.own_names()]
    pairs = ((wanted, each) for each in names)
    return any(len(min(pair, key=len)) >= SHORTEST and _holds(*pair) for pair in pairs)


def _holds(one: str, other: str) -> bool:
    return one in other or other in one


def _has_thread(running: RunningProcess, program: str) -> bool:
    """Whether one of its threads has this name or number."""
    folder = running.root / str(running.process.pid) / "task"
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            if each.name == program or _name_of(each) == program:
                return True
    return False


def _name_of(thread: Path) -> str:
    return os.fsdecode((thread / "comm").read_bytes()).rstrip("\n")


def _mentions(running: RunningProcess, program: str) -> bool:
    return program.casefold() in " ".join(running.arguments).casefold()


GUESSES_OF_A_NUMBER: Guesses = (("a thread of ", _has_thread),)
GUESSES: Guesses = (
    ("", _is_like),
    *GUESSES_OF_A_NUMBER,
    ("only the command line of ", _mentions),
)
"""Guesses at what a person may have meant, the likeliest first."""


def _without_those_above(running: Sequence[RunningProcess]) -> list[RunningProcess]:
    """Without those that started this process: its command line holds every name it was given."""
    parents = {each.process.pid: each.stat.parent for each in running}
    above, pid = set(), os.getppid()
    while pid not in above and pid in parents:
        above.add(pid)
        pid = parents[pid]
    return [each for each in running if each.process.pid not in above]

"""Which of the processes that run a program of the configuration means."""

from __future__ import annotations

import re
from collections.abc import Iterable

from controller.linux.control_group import is_group, is_within
from controller.plants.programs.names import Fit, RunningProcess

PROCESS_ID = re.compile("[1-9][0-9]{0,9}")


def is_id(program: str) -> bool:
    """Whether a program is named by its process id."""
    return PROCESS_ID.fullmatch(program) is not None


def meant_by(
    program: str, processes: Iterable[RunningProcess], known: Iterable[RunningProcess] = ()
) -> list[RunningProcess]:
    """The processes that have this id, are in this control group, or go by this name.

    A name means those whose own it is, else the next best. An interpreter's name that fits
    several programs, with those that are known, means none of them. Threads of the kernel are
    no programs, and never meant.
    """
    processes = [each for each in processes if not each.stat.is_kernel]
    if is_id(program):
        return [each for each in processes if each.process.pid == int(program)]
    if is_group(program):
        return [each for each in processes if is_within([program], each.control_groups())]
    fits, before = fitting(program, processes), fitting(program, known)
    for own in (Fit.NAME, Fit.SHORTENED):
        if fits[own] or before[own]:
            return fits[own]
    keys = {each.key for each in (*fits[Fit.INTERPRETER], *before[Fit.INTERPRETER])}
    return fits[Fit.INTERPRETER] if len(keys) == 1 else []


def fitting(name: str, processes: Iterable[RunningProcess]) -> dict[Fit, list[RunningProcess]]:
    """The processes that go by a name, by how it fits."""
    fits: dict[Fit, list[RunningProcess]] = {fit: [] for fit in Fit}
    for each in processes:
        if (fit := each.fit(name)) is not None:
            fits[fit].append(each)
    return fits

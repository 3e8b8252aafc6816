"""Which of the programs that are named may be watched and rescheduled, found out at the start."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from controller import process_access
from controller.config import SidecarSection
from controller.control_group import is_group
from controller.errors import PlantError, ProcessClosedError
from controller.plants.processes import named
from controller.process_access import Reason

OTHERS = "as the user of the program"


def check_proc(plant: str) -> None:
    """Raise PlantError where /proc tells of other processes than system calls reach."""
    reason = process_access.foreign()
    if reason is not None:
        raise PlantError(plant, *reason)


def check_access(plant: str, sidecar: SidecarSection) -> None:
    """Raise ProcessClosedError for a program that may not be looked into.

    One that is hidden altogether and was named by its id is known to run all the same; of one
    by name only that it was not found can be said, and why that may be.
    """
    for program in (*sidecar.processes, *sidecar.background):
        if program.isdecimal() and (reason := process_access.obstacle(int(program))) is not None:
            raise ProcessClosedError(f"process {program}", *reason)
    wanted = sidecar.processes
    if plant != "process" or not wanted or any(map(is_group, wanted)) or named(wanted):
        return
    if (hidden := process_access.hidden()) is not None:
        why, remedy = hidden
        raise ProcessClosedError(", ".join(wanted), f"not found: {why}", remedy.format(who=OTHERS))


def tell_missing(sidecar: SidecarSection, say: Callable[[str], None]) -> None:
    """Say which groups are empty, and which programs may be hidden.

    A group fills later, or its name is mistyped: only who named it can know.
    """
    hidden = process_access.hidden()
    perhaps = "" if hidden is None else f"; {hidden[0]}; {hidden[1].format(who=OTHERS)}"
    for program in (*sidecar.processes, *sidecar.background):
        if named((program,)):
            continue
        if is_group(program):
            told = f"no process is in {program} yet; it is looked for as long as the run lasts"
            say(f"{told}{perhaps}")
        elif perhaps:
            say(f"{program}: not found{perhaps}")


def tell_unschedulable(sidecar: SidecarSection, say: Callable[[str], None]) -> None:
    """Say of the programs whose threads may be watched and not rescheduled, once for each user."""
    refused: dict[Reason, list[str]] = {}
    for process in named((*sidecar.processes, *sidecar.background)):
        reason = process_access.owner_obstacle(process.pid)
        if reason is not None:
            refused.setdefault(reason, []).append(str(process.pid))
    for (why, remedy), pids in refused.items():
        say(f"{_processes(pids)}: watched and not rescheduled: {why}; {remedy}")


def _processes(pids: Iterable[str]) -> str:
    numbers = ", ".join(pids)
    return f"processes {numbers}" if "," in numbers else f"process {numbers}"

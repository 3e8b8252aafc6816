"""Which of the programs that are named may be watched and rescheduled, found out at the start."""

from __future__ import annotations

from collections.abc import Callable

from controller.config.config import SidecarSection
from controller.errors import PlantError, ProcessClosedError
from controller.linux import process_access
from controller.linux.control_group import is_group
from controller.plants.process.plant import REMEDY
from controller.plants.programs.matching import is_id
from controller.plants.programs.names import in_a_line
from controller.plants.programs.near_matches import none_runs, remark
from controller.plants.programs.processes import named, others

OTHERS = "as the user of the program"


def check_proc(plant: str) -> None:
    """Raise PlantError where /proc tells of other processes than system calls reach."""
    reason = process_access.foreign()
    if reason is not None:
        raise PlantError(plant, *reason)


def check_access(plant: str, sidecar: SidecarSection, named_at: int | None = None) -> None:
    """Raise ProcessClosedError for a program that may not be looked into, PlantError for none.

    One that is hidden altogether and was named by its id is known to run all the same; of one
    by name only that it was not found can be said, and why that may be.
    """
    for program in (*sidecar.processes, *sidecar.background):
        if is_id(program) and (reason := process_access.obstacle(int(program))) is not None:
            raise ProcessClosedError(f"process {program}", *reason)
    wanted = sidecar.processes
    if plant != "process" or not wanted or any(map(is_group, wanted)):
        return
    if named(wanted):
        return
    why, hidden = none_runs(wanted, others(), named_at), process_access.hidden()
    if hidden is None or all(map(is_id, wanted)):
        raise PlantError(plant, why, REMEDY)
    what = f"{why}, or it is hidden: {hidden[0]}"
    raise ProcessClosedError(f"plant {plant}", what, hidden[1].format(who=OTHERS))


def tell_missing(sidecar: SidecarSection, say: Callable[[str], None]) -> None:
    """Say which groups are empty, and that programs which were not found may be hidden.

    A group fills later, or its name is mistyped: only who named it can know.
    """
    missing = [each for each in (*sidecar.processes, *sidecar.background) if not named((each,))]
    for program in filter(is_group, missing):
        say(f"no process is in {program} yet; it is looked for as long as the run lasts")
    may_be_hidden = [each for each in missing if not is_id(each)]
    if may_be_hidden and (hidden := process_access.hidden()) is not None:
        what, remedy = ", ".join(may_be_hidden), hidden[1].format(who=OTHERS)
        say(f"{in_a_line(what)} may run and be hidden: {hidden[0]}; {remedy}")


def tell_programs(
    sidecar: SidecarSection, named_at: int | None, say: Callable[[str], None]
) -> None:
    """Say what was found by a name that does not tell by itself which program is meant."""
    programs = dict.fromkeys((*sidecar.processes, *sidecar.background))
    running = others() if programs else []
    for found in filter(None, (remark(each, running, named_at) for each in programs)):
        say(found)

"""Where a change could not be restored from it is not made: what was found must be restored."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from policies.conductor.remedies import threads
from policies.knobs import AnyThreadClasses, SchedulingClass, ThreadClass, ThreadClasses
from policies.objective import Priority

UNPRIVILEGED = AnyThreadClasses(realtime=False, nice=False, cpus=frozenset({0, 1}), demotion=False)

PROBE = """
import os
from controller.linux import scheduling
from controller.linux.permissions import permitted
from controller.errors import SchedulingRefusedError
import encodings.ascii  # loaded now: nobody may read the interpreter's files
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
(thread,) = scheduling.threads_of(os.getpid())
found = scheduling.read(thread)
for policy, nice in ((os.SCHED_IDLE, found.nice), (os.SCHED_OTHER, found.nice + 5)):
    try:
        scheduling.write(thread, scheduling.Scheduling(policy, 0, nice, found.cpus))
        print("changed")
    except SchedulingRefusedError as error:
        print(str(error).partition("refused: ")[2].partition(";")[0])
scheduling.write(thread, scheduling.Scheduling(os.SCHED_BATCH, 0, found.nice, found.cpus))
scheduling.restore(thread, found)
print(scheduling.read(thread) == found, permitted().demotion)
"""


def test_a_class_that_could_not_be_restored_from_is_not_allowed() -> None:
    idle = ThreadClasses(background=ThreadClass(SchedulingClass.IDLE))
    lowered = ThreadClasses(background=ThreadClass(nice=5))
    assert not UNPRIVILEGED.allows(idle)
    assert not UNPRIVILEGED.allows(lowered)
    assert UNPRIVILEGED.allows(ThreadClasses(background=ThreadClass(SchedulingClass.BATCH)))


@pytest.mark.parametrize("priority", list(Priority))
def test_every_step_without_privilege_can_be_restored_from(priority: Priority) -> None:
    steps = list(threads.steps(UNPRIVILEGED, ThreadClasses(), priority))
    assert [step.name for step in steps] == [
        "background_batch",
        "companions_yield",
        "own_processor",
    ]
    assert all(UNPRIVILEGED.allows(step.classes) for step in steps)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_the_kernel_lets_nobody_yield_and_come_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["it could not be restored"] * 2 + ["True False"]

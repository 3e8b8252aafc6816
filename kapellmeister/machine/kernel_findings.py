"""The kernel, as the doctor finds it: its timer, its groups, and its real-time budgets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from controller.linux import kernel_files, obstacles, process_access
from controller.linux.process_id import PROC
from kapellmeister.machine import linux
from kapellmeister.machine.finding import Finding, Status, note

REALTIME_PERIOD = Path("/proc/sys/kernel/sched_rt_period_us")
GROUP_PERIOD = "cpu.rt_period_us"


def kernel_findings() -> Iterator[Finding]:
    """Findings about the kernel itself."""
    model, frequency_hz = linux.preemption_model(), linux.timer_frequency_hz()
    yield note("pre-emption model", model or "not told by this kernel")
    yield note("timer frequency", f"{frequency_hz} Hz" if frequency_hz else "not told")
    yield note("control groups", linux.control_groups())
    budget_us = kernel_files.read_number(obstacles.REALTIME_BUDGET)
    yield realtime_budget(budget_us, kernel_files.read_number(REALTIME_PERIOD))
    yield group_budget(linux.has_realtime_groups(), obstacles.realtime_group(os.getpid()))
    yield processes()


def processes(root: Path = PROC) -> Finding:
    """Whether /proc shows the processes that are to be controlled."""
    name, foreign = "processes", process_access.foreign(root)
    if foreign is not None:
        return Finding(name=name, status=Status.REFUSED, found=foreign[0], remedy=foreign[1])
    hidden = process_access.hidden(root)
    if hidden is None:
        return Finding(name=name, status=Status.WORKS, found=f"{root} shows those of all users")
    remedy = hidden[1].format(who="as the user of the programs")
    return Finding(name=name, status=Status.REFUSED, found=hidden[0], remedy=remedy)


def realtime_budget(budget_us: int | None, period_us: int | None) -> Finding:
    """The budget of all real-time threads, refused where it is nothing or everything."""
    name, remedy = "real-time budget", "sysctl kernel.sched_rt_runtime_us=950000"
    if budget_us == 0:
        found = "the kernel grants real-time threads no time"
        return Finding(name=name, status=Status.REFUSED, found=found, remedy=remedy)
    if budget_us == -1:
        found = "without bound (-1): a real-time thread that never pauses could stop the machine"
        return Finding(name=name, status=Status.REFUSED, found=found, remedy=remedy)
    return note(name, _budget(budget_us, period_us))


def group_budget(needed: bool, group: Path | None) -> Finding:
    """The control group's budget for real-time threads, where the kernel asks for one."""
    name = "real-time groups"
    if not needed:
        return note(name, "not in this kernel, or not told (CONFIG_RT_GROUP_SCHED)")
    budget_us = None if group is None else kernel_files.read_number(group)
    if group is None or budget_us is None:
        return note(name, "each control group needs a budget; that of ours is not told")
    found = (
        f"ours has {_budget(budget_us, kernel_files.read_number(group.with_name(GROUP_PERIOD)))}"
    )
    if budget_us == 0:
        remedy = f"write 950000, or what the groups above leave, to {group}"
        return Finding(name=name, status=Status.REFUSED, found=found, remedy=remedy)
    return note(name, found)


def _budget(budget_us: int | None, period_us: int | None) -> str:
    if budget_us is None or not period_us:
        return "not told"
    return "without bound" if budget_us < 0 else f"{budget_us / period_us:.0%} of the time"

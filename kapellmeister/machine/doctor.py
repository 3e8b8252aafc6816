"""The `doctor` command: what can be sensed and turned on this machine, and what is in the way."""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller import plugins
from controller.errors import JournalError, ThreadGoneError
from controller.journal.state_directory import StateDirectory
from controller.linux import process_access, scheduling
from controller.linux.process_id import PROC
from controller.linux.scheduling import ProcessId
from controller.plants.pipewire import tools as pipewire_tools
from controller.plants.programs.processes import named
from controller.sensors.cpu import MachineSensor, ProcessSensor, ThreadSensor
from kapellmeister.figures import Figures
from kapellmeister.machine import linux as kernel
from kapellmeister.machine.description import Machine, describe_machine
from kapellmeister.machine.other_managers import running_managers
from policies.observation import Missing, Reading, Value

WATCHED_S = 1.0
OUR_NAMES = ("controller", "policies", "simulators", "kapellmeister")
SOUND_LIBRARIES = ("soundfile", "soxr", "sofar", "numba")

REALTIME_PERIOD = Path("/proc/sys/kernel/sched_rt_period_us")
GROUP_PERIOD = "cpu.rt_period_us"
WAKE_UP_LATENCY = Path("/dev/cpu_dma_latency")
NVIDIA = Path("/proc/driver/nvidia/version")
NOTHING_GRANTED = scheduling.Permissions(
    realtime=False, nice=False, priority_max=0, cpus=frozenset(), demotion=False
)


class Status(StrEnum):
    """How a thing stands: it works, it is not allowed, it is not here, or it is merely a fact."""

    WORKS = "works"
    REFUSED = "refused"
    ABSENT = "absent"
    NOTE = "note"


STYLES = {
    Status.WORKS: "green",
    Status.REFUSED: "bold red",
    Status.ABSENT: "yellow",
    Status.NOTE: "dim",
}


class Finding(Figures):
    """One thing that was looked at; `remedy` says how to enable it where that is possible."""

    name: str
    status: Status
    found: str
    remedy: str = ""


class DoctorReport(Figures):
    """All findings, by what they are needed for."""

    machine: Machine
    kernel: list[Finding]
    sensors: list[Finding]
    actuators: list[Finding]
    sound_libraries: list[Finding]
    neighbours: list[Finding]
    installation: list[Finding]

    def sections(self) -> Iterator[tuple[str, list[Finding]]]:
        """Title and findings of each section."""
        for name in type(self).model_fields:
            if name != "machine":
                yield name.replace("_", " "), getattr(self, name)


def doctor(watch: Callable[[], None] = lambda: time.sleep(WATCHED_S)) -> DoctorReport:
    """Examine this machine; nothing on it is changed but a thread made to try things on.

    `watch` passes the time over which shares are seen.
    """
    return DoctorReport(
        machine=describe_machine(),
        kernel=list(_kernel()),
        sensors=list(_sensors(watch)),
        actuators=list(_actuators(_permitted())),
        sound_libraries=[_library(name) for name in SOUND_LIBRARIES],
        neighbours=[*_other_pipelines(), _other_managers()],
        installation=[_default_state_directory(), *map(_import_name, OUR_NAMES)],
    )


def print_report(report: DoctorReport, console: Console) -> None:
    """The findings as tables, each remedy below what it would enable."""
    console.print(str(report.machine), highlight=False)
    for title, findings in report.sections():
        table = Table.grid(padding=(0, 2))
        table.add_column(width=max(map(len, Status)))
        table.add_column(min_width=20)
        table.add_column()
        for each in findings:
            text = Text(each.found)
            if each.remedy:
                text.append(f"\nto enable: {each.remedy}", "yellow")
            table.add_row(Text(each.status, STYLES[each.status]), each.name, text)
        console.print(Text(f"\n{title}", "bold"))
        console.print(table)


def _kernel() -> Iterator[Finding]:
    model, frequency_hz = kernel.preemption_model(), kernel.timer_frequency_hz()
    yield _note("pre-emption model", model or "not told by this kernel")
    yield _note("timer frequency", f"{frequency_hz} Hz" if frequency_hz else "not told")
    yield _note("control groups", kernel.control_groups())
    budget_us = scheduling.read_number(scheduling.REALTIME_BUDGET)
    yield _realtime_budget(budget_us, scheduling.read_number(REALTIME_PERIOD))
    yield _group_budget(kernel.has_realtime_groups(), scheduling.realtime_group(os.getpid()))
    yield _processes()


def _processes(root: Path = PROC) -> Finding:
    """Whether /proc shows the processes that are to be controlled."""
    name, foreign = "processes", process_access.foreign(root)
    if foreign is not None:
        return Finding(name=name, status=Status.REFUSED, found=foreign[0], remedy=foreign[1])
    hidden = process_access.hidden(root)
    if hidden is None:
        return Finding(name=name, status=Status.WORKS, found=f"{root} shows those of all users")
    remedy = hidden[1].format(who="as the user of the programs")
    return Finding(name=name, status=Status.REFUSED, found=hidden[0], remedy=remedy)


def _realtime_budget(budget_us: int | None, period_us: int | None) -> Finding:
    name, remedy = "real-time budget", "sysctl kernel.sched_rt_runtime_us=950000"
    if budget_us == 0:
        found = "the kernel grants real-time threads no time"
        return Finding(name=name, status=Status.REFUSED, found=found, remedy=remedy)
    if budget_us == -1:
        found = "without bound (-1): a real-time thread that never pauses could stop the machine"
        return Finding(name=name, status=Status.REFUSED, found=found, remedy=remedy)
    return _note(name, _budget(budget_us, period_us))


def _group_budget(needed: bool, group: Path | None) -> Finding:
    """The control group's budget for real-time threads, where the kernel asks for one."""
    name = "real-time groups"
    if not needed:
        return _note(name, "not in this kernel, or not told (CONFIG_RT_GROUP_SCHED)")
    budget_us = None if group is None else scheduling.read_number(group)
    if group is None or budget_us is None:
        return _note(name, "each control group needs a budget; that of ours is not told")
    found = f"ours has {_budget(budget_us, scheduling.read_number(group.with_name(GROUP_PERIOD)))}"
    if budget_us == 0:
        remedy = f"write 950000, or what the groups above leave, to {group}"
        return Finding(name=name, status=Status.REFUSED, found=found, remedy=remedy)
    return _note(name, found)


def _budget(budget_us: int | None, period_us: int | None) -> str:
    if budget_us is None or not period_us:
        return "not told"
    return "without bound" if budget_us < 0 else f"{budget_us / period_us:.0%} of the time"


def _sensors(watch: Callable[[], None]) -> Iterator[Finding]:
    machine, threads, ourselves = MachineSensor(), ThreadSensor(), os.getpid()
    machine.read()
    threads.read([ourselves])
    watch()
    seen = machine.read() | threads.read([ourselves]) | ProcessSensor(ourselves).read()
    yield _sensor("utilisation", seen["cpu.utilisation"], "{:.1%} of all processor time")
    yield _sensor("steal", seen["cpu.steal_share"], "{:.2%} taken by the hypervisor just now")
    yield _sensor(
        "pressure (PSI)",
        seen["cpu.pressure_some_share"],
        "threads waited {:.1%} of the time",
        "boot with psi=1, on a kernel built with CONFIG_PSI",
    )
    yield _sensor(
        "run-queue delay",
        seen["audio.run_delay_share"],
        "{:.2%} for this process (schedstat)",
        "use a kernel built with CONFIG_SCHED_INFO",
    )
    yield _sensor("memory", seen["process.rss_mib"], "{:.0f} MiB for this process")


def _sensor(name: str, reading: Reading, words: str, remedy: str = "") -> Finding:
    if isinstance(reading, Value):
        return Finding(name=name, status=Status.WORKS, found=words.format(reading.value))
    why = reading.reason if isinstance(reading, Missing) else str(reading)
    return Finding(name=name, status=Status.ABSENT, found=why, remedy=remedy)


def _permitted() -> scheduling.Permissions:
    """The permissions on a thread that is made for this; nothing where it cannot be found."""
    try:
        return scheduling.permitted()
    except ThreadGoneError:
        return NOTHING_GRANTED


def _actuators(granted: scheduling.Permissions) -> Iterator[Finding]:
    yield _actuator(
        "real-time scheduling",
        granted.realtime,
        f"FIFO up to priority {granted.priority_max}",
        scheduling.realtime_obstacle(os.getpid())
        if scheduling.is_throttled()
        else scheduling.UNTHROTTLED,
    )
    yield _actuator(
        "nice levels",
        granted.nice,
        f"down to {scheduling.NICE_PROBED}",
        scheduling.nice_obstacle(),
    )
    several = len(granted.cpus) > 1
    yield Finding(
        name="processor sets",
        status=Status.WORKS if several else Status.NOTE,
        found=f"of processors {_numbers(granted.cpus)}" if several else "only one processor",
    )
    yield _actuator(
        "wake-up latency",
        os.access(WAKE_UP_LATENCY, os.W_OK),
        f"{WAKE_UP_LATENCY} is writable; not used by this version",
        f"give write access to {WAKE_UP_LATENCY}; this version does not use it",
    )


def _actuator(name: str, works: bool, found: str, remedy: str) -> Finding:
    if works:
        return Finding(name=name, status=Status.WORKS, found=found)
    return Finding(name=name, status=Status.REFUSED, found="not permitted", remedy=remedy)


def _numbers(cpus: frozenset[int]) -> str:
    """Processors in words that fit a line: `0-3,6`."""
    spans: list[list[int]] = []
    for cpu in sorted(cpus):
        if spans and cpu == spans[-1][-1] + 1:
            spans[-1][1:] = [cpu]
        else:
            spans.append([cpu])
    return ",".join("-".join(map(str, span)) for span in spans)


def _library(name: str) -> Finding:
    """Load a library: the Python part may be there without the native one that it needs."""
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - a native library may fail in any way to load
        remedy = f"pip install --force-reinstall {name}"
        return Finding(name=name, status=Status.ABSENT, found=str(error), remedy=remedy)
    return Finding(name=name, status=Status.WORKS, found=metadata.version(name))


def _other_pipelines() -> Iterator[Finding]:
    yield _pipeline("JACK", "jack", ("jackd", "jackdbus"))
    yield _pipewire()
    if kernel.is_there(NVIDIA):
        yield _note("NVIDIA GPU", "its driver is loaded; this version does not control it")
    else:
        yield _absent("NVIDIA GPU")


def _pipeline(name: str, plant: str, programs: tuple[str, ...]) -> Finding:
    how = f"--plant {plant}"
    if plant not in plugins.names("plants"):
        how = f"--plant process --process {programs[0]}"
    if kernel.running(programs):
        return _note(name, f"it runs; `kapellmeister run {how}` attaches to it")
    if any(shutil.which(program) for program in programs):
        return _note(name, f"it is installed; once it runs, `kapellmeister run {how}` attaches")
    return _absent(name)


def _pipewire(programs: tuple[str, ...] = ("pipewire",)) -> Finding:
    """Whether a server answers, what of it would be seen, and how its threads are scheduled."""
    name, found = "PipeWire", _pipeline("PipeWire", "pipewire", programs)
    if found.status is Status.ABSENT:
        return found
    missing = pipewire_tools.missing_tool()
    if missing is not None:
        why = f"{missing} is not installed"
        return Finding(name=name, status=Status.ABSENT, found=why, remedy=pipewire_tools.REMEDY)
    version = pipewire_tools.version()
    words = [".".join(map(str, version)), f"{pipewire_tools.counting_tool(version)} counts cycles"]
    if not pipewire_tools.answers():
        words.append("no server answers: start one, or name its folder in XDG_RUNTIME_DIR")
        return _note(name, ", ".join(words))
    words.append(f"a server answers ({_scheduled(named(programs))})")
    return _note(name, f"{', '.join(words)}; `kapellmeister run --plant pipewire` attaches to it")


def _scheduled(processes: Iterable[ProcessId]) -> str:
    """The scheduling of the threads that are made real-time."""
    seen = set()
    for thread in (thread for each in processes for thread in scheduling.threads_of(each)):
        with suppress(ThreadGoneError):
            seen.add(scheduling.read(thread))
    raised = {str(each) for each in seen if each.policy in scheduling.REALTIME}
    return f"data threads: {', '.join(sorted(raised))}" if raised else "no real-time thread"


def _absent(name: str) -> Finding:
    return Finding(name=name, status=Status.ABSENT, found="not found; not needed")


def _other_managers(root: Path = kernel.ROOT) -> Finding:
    rivals = [f"{name} {does}" for name, does in running_managers(root).items()]
    scheduler = kernel.replaced_scheduler(root)
    if scheduler is not None:
        rivals.append(f"sched_ext runs {scheduler}, to which nice levels may mean something else")
    return _note("other managers", "; ".join(rivals) or "none runs")


def _default_state_directory() -> Finding:
    try:
        return _state_directory(StateDirectory())
    except JournalError:
        found, remedy = "this user has no home", "set HOME, or choose a --state-dir"
        return Finding(name="state directory", status=Status.REFUSED, found=found, remedy=remedy)


def _state_directory(directory: StateDirectory) -> Finding:
    name, path, holder = "state directory", directory.path, directory.holder()
    existing = next(each for each in (path, *path.parents) if os.access(each, os.F_OK))
    if holder is not None:
        return _note(name, f"{path}: a controller (process {holder}) runs here")
    if os.access(existing, os.W_OK | os.X_OK):
        return Finding(name=name, status=Status.WORKS, found=str(path))
    found = f"{path}: {existing} is not writable"
    return Finding(name=name, status=Status.REFUSED, found=found, remedy="choose a --state-dir")


def _import_name(name: str) -> Finding:
    """Whether an import name is ours alone: another package may own so common a word."""
    home = Path(__file__).resolve().parents[2]
    imported = Path(importlib.import_module(name).__file__ or "").resolve().parents[1]
    rivals = sorted(set(metadata.packages_distributions().get(name, ())) - {"kapellmeister"})
    title = f"import {name}"
    if imported == home and not rivals:
        return Finding(name=title, status=Status.WORKS, found=f"ours, in {home}")
    found = f"comes from {imported}" if imported != home else f"claimed by {', '.join(rivals)} too"
    remedy = "install kapellmeister into a virtual environment of its own"
    return Finding(name=title, status=Status.REFUSED, found=found, remedy=remedy)


def _note(name: str, found: str) -> Finding:
    return Finding(name=name, status=Status.NOTE, found=found)

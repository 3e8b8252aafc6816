"""Neighbours of the controller on this machine: sound servers, other managers."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from controller import plugins
from controller.errors import ThreadGoneError
from controller.linux import scheduling
from controller.linux.process_id import ProcessId
from controller.plants.pipewire import command_line as pipewire_tools
from controller.plants.programs.processes import named
from kapellmeister.machine import linux
from kapellmeister.machine.finding import Finding, Status, note
from kapellmeister.machine.other_managers import running_managers


def other_pipelines() -> Iterator[Finding]:
    """Findings about sound servers that could be attached to."""
    yield pipeline("JACK", "jack", ("jackd", "jackdbus"))
    yield pipewire()


def pipeline(name: str, plant: str, programs: tuple[str, ...]) -> Finding:
    """A sound server: whether one of its programs runs, or is installed."""
    how = f"--plant {plant}"
    if plant not in plugins.names("plants"):
        how = f"--plant process --process {programs[0]}"
    if linux.running(programs):
        return note(name, f"it runs; `kapellmeister run {how}` attaches to it")
    if any(shutil.which(program) for program in programs):
        return note(name, f"it is installed; once it runs, `kapellmeister run {how}` attaches")
    return _absent(name)


def pipewire(programs: tuple[str, ...] = ("pipewire",)) -> Finding:
    """Whether a server answers, what of it would be seen, and how its threads are scheduled."""
    name, found = "PipeWire", pipeline("PipeWire", "pipewire", programs)
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
        return note(name, ", ".join(words))
    words.append(f"a server answers ({scheduled(named(programs))})")
    return note(name, f"{', '.join(words)}; `kapellmeister run --plant pipewire` attaches to it")


def scheduled(processes: Iterable[ProcessId]) -> str:
    """The scheduling of the threads that are made real-time."""
    seen = set()
    for thread in (thread for each in processes for thread in scheduling.threads_of(each)):
        with suppress(ThreadGoneError):
            seen.add(scheduling.read(thread))
    raised = {str(each) for each in seen if each.policy in scheduling.REALTIME}
    return f"data threads: {', '.join(sorted(raised))}" if raised else "no real-time thread"


def _absent(name: str) -> Finding:
    return Finding(name=name, status=Status.ABSENT, found="not found; not needed")


def other_managers(root: Path = linux.ROOT) -> Finding:
    """Programs that reschedule threads as well, and a scheduler in the kernel's place."""
    rivals = [f"{name} {does}" for name, does in running_managers(root).items()]
    scheduler = linux.replaced_scheduler(root)
    if scheduler is not None:
        rivals.append(f"sched_ext runs {scheduler}, to which nice levels may mean something else")
    return note("other managers", "; ".join(rivals) or "none runs")

"""`kapellmeister doctor`: what can be sensed and turned on this machine, and how to enable more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kapellmeister.machine.actuator_findings import actuator_findings, permitted
from kapellmeister.machine.cluster_findings import cluster_findings
from kapellmeister.machine.description import Machine, describe_machine
from kapellmeister.machine.finding import Finding, Status
from kapellmeister.machine.gpu_findings import gpu_findings
from kapellmeister.machine.installation import default_state_directory, import_name, library
from kapellmeister.machine.kernel_findings import kernel_findings
from kapellmeister.machine.neighbours import other_managers, other_pipelines
from kapellmeister.machine.sensor_findings import sensor_findings
from simulators.figures import Figures

WATCHED_S = 1.0
OUR_NAMES = ("controller", "policies", "simulators", "kapellmeister")
SOUND_LIBRARIES = ("soundfile", "soxr", "sofar", "numba")
STYLES = {
    Status.WORKS: "green",
    Status.REFUSED: "bold red",
    Status.ABSENT: "yellow",
    Status.NOTE: "dim",
}


class DoctorReport(Figures):
    """All findings, by what they are needed for."""

    machine: Machine
    kernel: list[Finding]
    sensors: list[Finding]
    actuators: list[Finding]
    gpu: list[Finding]
    cluster: list[Finding]
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
        kernel=list(kernel_findings()),
        sensors=list(sensor_findings(watch)),
        actuators=list(actuator_findings(permitted())),
        gpu=list(gpu_findings()),
        cluster=list(cluster_findings()),
        sound_libraries=[library(name) for name in SOUND_LIBRARIES],
        neighbours=[*other_pipelines(), other_managers()],
        installation=[default_state_directory(), *map(import_name, OUR_NAMES)],
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

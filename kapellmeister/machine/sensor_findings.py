"""The sensors, as the doctor finds them: each read once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from controller.sensors.cpu import MachineSensor, ProcessSensor, ThreadSensor
from kapellmeister.machine.finding import Finding, Status
from policies.observation import Missing, Reading, Value


def sensor_findings(watch: Callable[[], None]) -> Iterator[Finding]:
    """Findings about the sensors; `watch` passes the time over which shares are seen."""
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

"""The state of a PipeWire server and its drivers, as a line of the monitor describes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from controller.linux.process_id import ProcessId
from controller.plants.audio_server.state import ServerState


@dataclass(frozen=True, slots=True)
class DriverState:
    """A driver at work: its quantum and rate, and the processes of those that follow it."""

    id: int
    name: str
    period_frames: int
    sample_rate_hz: int
    processes: frozenset[ProcessId]

    @property
    def cycles_per_s(self) -> float:
        """Cycles a second, each of which wakes them."""
        return self.sample_rate_hz / self.period_frames


@dataclass(frozen=True, slots=True)
class PipeWireState(ServerState):
    """A line of the monitor.

    `period_frames` is the quantum of the driver with the shortest period, `forced_frames` the one
    that all drivers are forced to, 0 where none is. `seen` grows with all cycles, `cycles` with
    those that were counted, up to `counted_until_ns`. `lateness_ms`, `service_ms` and `latency_ms`
    have a time for each cycle since the last line, where the tool tells. `rests` is why no cycle
    is due, `exports` whether any driver plays as fast as it can. `cookie` is another in each start
    of the server, whose process is `server`; `clients` are the processes of all clients that have
    nodes.
    """

    cycles: int
    missed: int
    seen: int
    counted_until_ns: int
    busy_share: float | None
    lateness_ms: list[float]
    service_ms: list[float]
    latency_ms: list[float]
    longest_frames: int
    forced_frames: int
    locked_by: str
    rests: str
    exports: bool
    drivers: tuple[DriverState, ...]
    clients: frozenset[ProcessId]
    name: str
    cookie: int
    server: ProcessId | None
    helpers: list[int]

    @property
    def freewheels(self) -> bool:
        """Whether an export is under way, perhaps beside devices that play on."""
        return self.exports

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Self:
        """The state that a line of the monitor describes."""
        objects = {
            "drivers": tuple(map(_driver, line["drivers"])),
            "clients": _processes(line["clients"]),
            "server": next(iter(_processes([line["server"]])), None),
        }
        return cls(**{**line, **objects})

    @property
    def position(self) -> int:
        """The cycles so far, whether they are counted or not."""
        return self.seen

    @property
    def identity(self) -> str:
        """The cookie of this start."""
        return str(self.cookie)

    @property
    def setting(self) -> int:
        """The quantum that is forced, frames; 0 where none is."""
        return self.forced_frames

    @property
    def no_deadline(self) -> str:
        """Why no cycle is due: nothing plays, or an export plays as fast as it can."""
        return self.rests

    @property
    def driver(self) -> str:
        """The drivers at work, each with its rate."""
        return ", ".join(sorted(f"{each.id} {each.sample_rate_hz}" for each in self.drivers))

    @property
    def counted_ns(self) -> int:
        """The time up to which cycles are counted; pw-top prints those of a second after it."""
        return self.counted_until_ns


def _driver(told: Mapping[str, Any]) -> DriverState:
    return DriverState(**{**told, "processes": _processes(told["processes"])})


def _processes(written: Iterable[str]) -> frozenset[ProcessId]:
    """Processes written as `pid:start_time`; empty words are of one that cannot be seen."""
    numbers = (each.split(":") for each in written if each)
    return frozenset(ProcessId(int(pid), int(start_time)) for pid, start_time in numbers)

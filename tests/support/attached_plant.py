"""The plant of PipeWire at a monitor that says what a test wants, without any server."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeClock
from monitor_lines import line

from controller.config.config import Config
from controller.linux.permissions import Permissions
from controller.plants.audio_server import plant as audio_server
from controller.plants.pipewire.plant import PipeWirePlant
from controller.plants.plant import Surroundings
from controller.watchdog.restoration import RestoreCommand

PERMISSIONS = Permissions(realtime=True, nice=True, priority_max=70, cpus=frozenset({0, 1}))


class FakeLink:
    """A monitor whose lines are put into `to_say`; `told` are its orders."""

    def __init__(self, module: str) -> None:
        self.pid: int | None = 1
        self.error = ("no server answers", "start one")
        self.to_say: list[dict[str, Any]] = [line()]
        self.told: list[str] = []
        self.takes_orders = True

    def wait(self, patience_s: float) -> list[dict[str, Any]]:
        return self.newest()

    def newest(self) -> list[dict[str, Any]]:
        said, self.to_say = self.to_say, []
        return said

    def tell(self, order: str) -> bool:
        self.told += [order] * self.takes_orders
        return self.takes_orders

    def close(self) -> None:
        self.pid = None


class SettingsLease:
    """A lease that notes which settings are held."""

    def __init__(self) -> None:
        self.held: dict[str, RestoreCommand] = {}
        self.restored: list[str] = []
        self.stands = True
        self.starved = None

    def renew(self) -> bool:
        return self.stands

    def register(self, *threads: object, wanted: object) -> None: ...

    def deregister(self, threads: object) -> None: ...

    def restore(self) -> None: ...

    def originals(self) -> dict[Any, Any]:
        return {}

    def register_setting(self, name: str, undo: RestoreCommand) -> None:
        self.held[name] = undo

    def amend_setting(self, name: str, undo: RestoreCommand) -> None:
        self.held[name] = undo

    def forget_setting(self, name: str) -> None:
        self.held.pop(name, None)

    def restore_setting(self, name: str) -> None:
        self.restored.append(name)


class Attached:
    """The plant, its monitor, its lease, and the time that all of them see."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **first: object) -> None:
        self.now_ns = 0
        monkeypatch.setattr(audio_server.time, "monotonic_ns", lambda: self.now_ns)
        link = FakeLink("")
        link.to_say = [line(**first)]
        monkeypatch.setattr(audio_server, "MonitorLink", lambda module: link)
        self.link, self.lease, self.clock = link, SettingsLease(), FakeClock()
        self.plant = PipeWirePlant(Surroundings(Config(), self.clock, self.lease, PERMISSIONS))  # type: ignore[arg-type]

    def restoring(self) -> RestoreCommand:
        """The arguments of the command that restores the period, but for what was played."""
        (command,) = self.lease.held.values()
        return command[command.index(PipeWirePlant.monitor) + 1 : command.index("--played")]

    def says(self, seconds: float, **told: object) -> None:
        self.now_ns = int(1e9 * seconds)
        self.link.to_say.append(line(time_ns=self.now_ns, **told))

    def obeys(self) -> None:
        """A second passes, in which the server does what it was told last."""
        self.clock.time_s += 1.0
        second = self.now_ns // 10**9 + 1
        forced = int(self.link.told[-1].removeprefix("period ")) if self.link.told else 0
        period = {"period_frames": forced or 64, "forced_frames": forced}
        self.says(second, cycles=750 * second, missed=second, latency_ms=[0.1, 1.2], **period)

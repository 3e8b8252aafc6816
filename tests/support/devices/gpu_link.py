"""The process that reads a GPU, its lines written by a test."""

from __future__ import annotations

from typing import Any

HOT: dict[str, Any] = {
    "read_at_s": 100.0,
    "took_s": 0.0001,
    "values": {"gpu.temperature_c": 91, "gpu.throttled": 1.0},
    "missing": {"gpu.power_w": "NVML: Not Supported"},
    "throttles": ["power cap", "temperature, by hardware"],
}
COOL = {**HOT, "read_at_s": 101.0, "throttles": []}


class FakeLink:
    """A process whose lines the test writes."""

    def __init__(self) -> None:
        self.pid: int | None = 7
        self.error = ("its monitor has ended unexpectedly", "wait, it is started again")
        self.lines: list[dict[str, Any]] = []
        self.orders: list[str] = []

    def newest(self) -> list[dict[str, Any]]:
        lines, self.lines = self.lines, []
        return lines

    def wait(self, patience_s: float) -> list[dict[str, Any]]:
        return self.newest()

    def tell(self, order: str) -> bool:
        self.orders.append(order)
        return True

    def close(self) -> None:
        self.pid = None

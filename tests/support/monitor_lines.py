"""Lines as the monitor of PipeWire tells them."""

from __future__ import annotations

from typing import Any

LINE = {
    "time_ns": 0,
    "period_frames": 64,
    "sample_rate_hz": 48_000,
    "cycles": 0,
    "missed": 0,
    "busy_share": 0.25,
    "lateness_ms": [],
    "service_ms": [],
    "latency_ms": [],
    "longest_frames": 4096,
    "forced_frames": 0,
    "locked_by": "",
    "rests": "",
    "exports": False,
    "joined": 1,
    "clients": [],
    "name": "no-such-server",
    "cookie": 7,
    "server": "",
    "helpers": [],
}


def driver(number: int, frames: int, rate_hz: int = 48_000, *processes: str) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"device {number}",
        "period_frames": frames,
        "sample_rate_hz": rate_hz,
        "processes": list(processes),
    }


def line(**told: Any) -> dict[str, Any]:
    """A line of the monitor: of one driver, and counted up to now, unless it is told otherwise."""
    whole = {**LINE, **told}
    drivers = [driver(42, whole["period_frames"], whole["sample_rate_hz"])]
    derived = {
        "seen": whole["cycles"],
        "counted_until_ns": whole["time_ns"],
        "drivers": [] if whole["rests"] else drivers,
    }
    return {**derived, **whole}

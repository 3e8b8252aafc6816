"""The GPU of a plant in lines of words; none where the plant tells of none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kapellmeister.terminal.words import ms, size
from policies.observation import Missing, Reading, Stale, Value, fresh

Readings = Mapping[str, Reading]
OWNERS = ("audio", "analysis", "visualisation", "cache", "workspace")


def gpu_lines(readings: Readings) -> Iterator[tuple[str, str]]:
    """Title and text of each line that has something to say."""
    lines = {
        "gpu memory": _memory(readings),
        "gpu": ", ".join([*_times(readings), *_condition(readings)]),
        "gpu streams": ", ".join(_streams(readings)),
    }
    return ((title, text) for title, text in lines.items() if text)


def _memory(readings: Readings) -> str:
    """The arena and its owners, or what the device says where there is no arena."""
    total, used = (_fresh(readings, f"gpu.arena_{part}bytes") for part in ("", "used_"))
    if total is None or used is None:
        total, used = (_fresh(readings, f"gpu.memory_{part}_bytes") for part in ("total", "used"))
    if total is None or used is None:
        return ""
    owned = {name: _fresh(readings, f"gpu.owner_{name}_bytes") for name in OWNERS}
    parts = [f"{name} {size(held)}" for name, held in owned.items() if held]
    return f"{size(used)} of {size(total)}" + (f": {', '.join(parts)}" if parts else "")


def _times(readings: Readings) -> Iterator[str]:
    busy = _fresh(readings, "gpu.busy_share")
    if busy is not None:
        yield f"{busy:.1%} busy"
    for stage, words in (("transfer_in", "in"), ("compute", "compute"), ("transfer_out", "out")):
        took_ms = _fresh(readings, f"gpu.{stage}_ms")
        if took_ms is not None:
            yield f"{words} {ms(took_ms)}"


def _condition(readings: Readings) -> Iterator[str]:
    """Clock and temperature; where the device tells neither, why."""
    clock, heat = readings.get("gpu.sm_clock_mhz"), readings.get("gpu.temperature_c")
    if isinstance(clock, Missing) and isinstance(heat, Missing):
        yield f"no clock: {clock.reason}"
        return
    yield from _told(clock, "{:.0f} MHz")
    yield from _told(heat, "{:.0f} °C")
    if _fresh(readings, "gpu.throttled"):
        yield "lowers its clock"


def _streams(readings: Readings) -> Iterator[str]:
    """How many streams are rendered where; on the CPU and not at all only where there are such."""
    on_gpu = _fresh(readings, "gpu.streams")
    if on_gpu is not None:
        yield f"{on_gpu:.0f} on the GPU"
    for name, words in (("streams_on_cpu", "on the CPU"), ("streams_yielded", "yielded")):
        count = _fresh(readings, f"gpu.{name}")
        if count:
            yield f"{count:.0f} {words}"


def _told(reading: Reading | None, form: str) -> Iterator[str]:
    match reading:
        case Value(value):
            yield form.format(value)
        case Stale(value, age_s):
            yield f"{form.format(value)} ({age_s:.0f} s ago)"


def _fresh(readings: Readings, name: str) -> float | None:
    reading = readings.get(name)
    return None if reading is None else fresh(reading)

"""One device as NVML tells of it: what is cheap to ask, in our names and units.

NVML answers under a lock of the driver that kernel launches may need too. A list of processes
takes milliseconds, a fan a hundred microseconds; neither is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

THROTTLES = MappingProxyType(
    {
        0x04: "power cap",
        0x08: "hardware slowdown",
        0x10: "sync boost",
        0x20: "temperature, by software",
        0x40: "temperature, by hardware",
        0x80: "power brake",
    }
)
"""Bits of nvmlClocksEventReasons under which a clock is lower than work would have it.

The others are no hindrance: idle, and what somebody set it to.
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One reading: values by name, why others are missing, and what lowers the clock."""

    values: dict[str, float]
    missing: dict[str, str]
    throttles: list[str]


class NvmlDevice:
    """One device, by its PCI bus id as CUDA tells it; the first one where that is None.

    `nvml` is the module pynvml. Raises its NVMLError where it has no driver or no such device.
    """

    def __init__(self, nvml: Any, pci_bus_id: str | None = None) -> None:
        nvml.nvmlInit()
        self._nvml = nvml
        if pci_bus_id is None:
            self._device = nvml.nvmlDeviceGetHandleByIndex(0)
        else:
            self._device = nvml.nvmlDeviceGetHandleByPciBusId(pci_bus_id.encode())

    def read(self) -> Figures:
        """All that the device tells; what it does not support or allow is missing, and why."""
        values: dict[str, float] = {}
        missing: dict[str, str] = {}
        for names, ask in QUESTIONS.items():
            try:
                values |= zip(names, ask(self._nvml, self._device), strict=True)
            except self._nvml.NVMLError as error:
                missing |= dict.fromkeys(names, f"NVML: {error}")
        reasons = int(values.get(THROTTLED, 0))
        throttles = [words for bit, words in THROTTLES.items() if reasons & bit]
        if THROTTLED in values:
            values[THROTTLED] = float(bool(throttles))
        return Figures(values, missing, throttles)


def _memory(nvml: Any, device: Any) -> tuple[float, ...]:
    """Version 2, since the first one counts what the driver keeps for itself as used."""
    found = nvml.nvmlDeviceGetMemoryInfo(device, version=nvml.nvmlMemory_v2)
    return found.total, found.used, found.free


def _utilisation(nvml: Any, device: Any) -> tuple[float, ...]:
    return (nvml.nvmlDeviceGetUtilizationRates(device).gpu / 100,)


def _sm_clock(nvml: Any, device: Any) -> tuple[float, ...]:
    now = nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_SM)
    return now, now / nvml.nvmlDeviceGetMaxClockInfo(device, nvml.NVML_CLOCK_SM)


def _memory_clock(nvml: Any, device: Any) -> tuple[float, ...]:
    return (nvml.nvmlDeviceGetClockInfo(device, nvml.NVML_CLOCK_MEM),)


def _throttle_reasons(nvml: Any, device: Any) -> tuple[float, ...]:
    """As bits, under the name that they have in drivers before 535 and in those since."""
    try:
        return (nvml.nvmlDeviceGetCurrentClocksEventReasons(device),)
    except nvml.NVMLError_FunctionNotFound:
        return (nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device),)


def _power(nvml: Any, device: Any) -> tuple[float, ...]:
    return (nvml.nvmlDeviceGetPowerUsage(device) / 1000,)


def _temperature(nvml: Any, device: Any) -> tuple[float, ...]:
    return (nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU),)


THROTTLED = "gpu.throttled"
QUESTIONS: MappingProxyType[tuple[str, ...], Callable[[Any, Any], tuple[float, ...]]] = (
    MappingProxyType(
        {
            ("gpu.memory_total_bytes", "gpu.memory_used_bytes", "gpu.memory_free_bytes"): _memory,
            ("gpu.utilisation",): _utilisation,
            ("gpu.sm_clock_mhz", "gpu.sm_clock_share"): _sm_clock,
            ("gpu.memory_clock_mhz",): _memory_clock,
            (THROTTLED,): _throttle_reasons,
            ("gpu.power_w",): _power,
            ("gpu.temperature_c",): _temperature,
        }
    )
)
NAMES = tuple(name for names in QUESTIONS for name in names)
"""Names of all readings, in the order in which they are asked for."""

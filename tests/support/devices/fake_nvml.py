"""A module in place of pynvml, with one device whose figures a test sets.

The device is what a machine without a GPU cannot have; the bindings themselves are held against
a library of their own in tests/live. Run as a module, it is the process that reads this device.
"""

from __future__ import annotations

from types import SimpleNamespace


class NVMLError(Exception):
    pass


class NVMLError_FunctionNotFound(NVMLError):  # noqa: N801, N818 - its name in pynvml
    pass


class NVMLError_NoPermission(NVMLError):  # noqa: N801, N818 - its name in pynvml
    pass


class FakeNvml:
    """The part of pynvml that is used; what is in `refused` raises the error given there."""

    NVMLError = NVMLError
    NVMLError_FunctionNotFound = NVMLError_FunctionNotFound
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    nvmlMemory_v2 = 0x02000028  # noqa: N815 - its name in pynvml

    def __init__(self, reasons: int = 0, **refused: NVMLError) -> None:
        self.reasons = reasons
        self.refused = refused
        self.asked: list[str] = []

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if name in self.refused:
            raise self.refused[name]

    def nvmlInit(self) -> None:  # noqa: N802
        self._ask("init")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return f"device {index}"

    def nvmlDeviceGetHandleByPciBusId(self, bus_id: bytes) -> str:  # noqa: N802
        self._ask(bus_id.decode())
        return bus_id.decode()

    def nvmlDeviceGetMemoryInfo(self, device: str, version: int) -> SimpleNamespace:  # noqa: N802
        self._ask("memory")
        assert version == self.nvmlMemory_v2
        return SimpleNamespace(total=80_000, used=20_000, free=59_000)

    def nvmlDeviceGetUtilizationRates(self, device: str) -> SimpleNamespace:  # noqa: N802
        self._ask("utilisation")
        return SimpleNamespace(gpu=34, memory=5)

    def nvmlDeviceGetClockInfo(self, device: str, kind: int) -> int:  # noqa: N802
        self._ask("clock")
        return 1410 if kind == self.NVML_CLOCK_SM else 2619

    def nvmlDeviceGetMaxClockInfo(self, device: str, kind: int) -> int:  # noqa: N802
        return 1980

    def nvmlDeviceGetCurrentClocksEventReasons(self, device: str) -> int:  # noqa: N802
        self._ask("events")
        return self.reasons

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, device: str) -> int:  # noqa: N802
        return self.reasons

    def nvmlDeviceGetPowerUsage(self, device: str) -> int:  # noqa: N802
        self._ask("power")
        return 312_500

    def nvmlDeviceGetTemperature(self, device: str, sensor: int) -> int:  # noqa: N802
        self._ask("temperature")
        return 61


if __name__ == "__main__":
    from controller.monitors.monitor import report
    from controller.sensors.gpu.monitor import readings

    report(readings(FakeNvml(reasons=0x04), None))

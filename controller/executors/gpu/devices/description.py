"""What a device is and can do, as it tells itself; nothing here is assumed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """A device by its own account.

    `compute_capability` is (major, minor), None for no CUDA device; `bandwidth_bytes_per_s` is
    that of its memory by clock and bus width, None where it does not tell. `slice_of` names the
    MIG instance or time slice that this is a part of, None for a whole device.
    """

    name: str
    multiprocessors: int
    compute_capability: tuple[int, int] | None
    bandwidth_bytes_per_s: float | None
    memory_bytes: int
    free_bytes: int
    slice_of: str | None = None

    def __str__(self) -> str:
        parts = [self.name, f"{self.multiprocessors} multiprocessors"]
        if self.compute_capability is not None:
            parts.append("compute capability {}.{}".format(*self.compute_capability))
        parts.append(f"{self.memory_bytes / 2**30:.1f} GiB")
        return ", ".join(parts if self.slice_of is None else [*parts, self.slice_of])

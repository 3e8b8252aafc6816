"""All that was measured of a subject, and the law that is fitted to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kapellmeister.calibration.plan import Plan
from kapellmeister.calibration.samples import Samples
from kapellmeister.calibration.subject import Device
from policies.latency import Calibration
from simulators.calibration.calibration import OperatingPoint, fit, joined
from simulators.calibration.transfer import fit_transfer, without_transfer


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured of a subject, by its plan; `batch_sizes` are those it can have."""

    plan: Plan
    samples: Samples
    batch_sizes: tuple[int, ...]
    device: Device | None

    @property
    def points(self) -> list[OperatingPoint]:
        """All points, in the order of the plan."""
        return [joined(each) for each in self.samples.parts]

    @property
    def held_out(self) -> list[OperatingPoint]:
        """Points that are not fitted."""
        return self.points[self._held_out]

    @property
    def held_out_parts(self) -> list[list[OperatingPoint]]:
        """The samples of each point that is not fitted."""
        return self.samples.parts[self._held_out]

    @property
    def _held_out(self) -> slice:
        fitted = len(self.plan.fitted)
        return slice(fitted, fitted + len(self.plan.held_out))

    def fit(self) -> Calibration:
        """The law of computing; where input comes in blocks, that of copying beside it."""
        points, fitted, period_ms = self.points, len(self.plan.fitted), self.samples.period_ms
        if self.device is None:
            return fit(points[:fitted], period_ms, "")
        told = (self.device.bytes_per_stream, self.device.memory_bytes, self.device.state_bytes)
        transfer = fit_transfer([*points[:fitted], *points[self._held_out.stop :]], *told)
        computing = fit([without_transfer(each) for each in points[:fitted]], period_ms, "")
        return replace(computing, transfer=transfer, block_bytes=points[0].block_bytes)

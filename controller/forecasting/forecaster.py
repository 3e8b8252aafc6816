"""The one interface of all forecasters."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from policies.forecast import Forecast
from policies.observation import Reading
from policies.policy import State


@runtime_checkable
class Forecaster(Protocol):
    """Learns from readings of the load as they come, and says what may come next.

    It is not trusted: what it raises or gets wrong becomes an alarm, and the loop goes on.
    """

    @property
    def name(self) -> str:
        """The name it is chosen by."""
        ...

    def update(self, time_s: float, reading: Reading) -> None:
        """Take the load at this time; any reading but a Value is a gap."""
        ...

    def predict(self, horizon_s: float, step_s: float) -> Forecast | None:
        """Sample paths from the last update on; None where nothing can be said yet."""
        ...

    def memory(self) -> State:
        """All that it learned, as plain JSON."""
        ...

    def resume(self, memory: State) -> None:
        """Go on from what `memory` returned in an earlier run."""
        ...

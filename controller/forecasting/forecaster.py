"""The one interface of all forecasters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from policies.forecast import Forecast
from policies.observation import Reading
from policies.policy import State


@dataclass(frozen=True, slots=True)
class FitTask:
    """Work too slow for the control thread, as a value that another process can take.

    `function` stands at the top of a module, `arguments` are plain values and arrays: both can
    be pickled, and the same arguments give the same result. `model` names what is fitted.
    """

    model: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def run(self) -> Any:
        """The result, which goes to `fitted`; raises whatever the fit raises."""
        return self.function(*self.arguments)


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

    def fit_task(self) -> FitTask | None:
        """The slow part that is due now, one at a time; None where nothing is.

        To hand a task out is to have begun it: one that fails, or comes too late, is not
        handed out again until the model's next fit is due, and the last good fit stays.
        """
        ...

    def fitted(self, result: Any) -> None:
        """Take the result of a task, from which the next forecast is made."""
        ...

    def saved(self) -> State:
        """All that it learned, as plain JSON."""
        ...

    def resume(self, saved: State) -> None:
        """Go on from what `saved` returned in an earlier run."""
        ...

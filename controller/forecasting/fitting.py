"""Slow fits, run where they hold nobody up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

from controller.forecasting.forecaster import FitTask, Forecaster

PATIENCE = 3
"""Fits of a model that may fail one after the other before it is tried more rarely."""
LONGEST_REST = 64
"""Fits left out between two tries, at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a task, or what went wrong."""

    task: FitTask
    result: Any = None
    error: str | None = None


class Runner(Protocol):
    """Runs one task at a time."""

    def start(self, task: FitTask) -> None:
        """Begin with a task, once the one before has an outcome."""
        ...

    def outcome(self) -> Outcome | None:
        """The outcome of the task, told once; None while there is none."""
        ...


class Inline:
    """Runs a task at once, so that simulations and back-tests repeat to the byte.

    `spent_s` holds the wall time of each.
    """

    def __init__(self) -> None:
        self.spent_s: list[float] = []
        self._outcome: Outcome | None = None

    def start(self, task: FitTask) -> None:
        """Run the task at once."""
        started_s = time.perf_counter()
        try:
            self._outcome = Outcome(task, result=task.run())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a fit may fail in any way
            self._outcome = Outcome(task, error=f"raised {error!r}")
        self.spent_s.append(time.perf_counter() - started_s)

    def outcome(self) -> Outcome | None:
        """The outcome of the task that was run, told once."""
        outcome, self._outcome = self._outcome, None
        return outcome


class Fitting:
    """Takes from a forecaster what is due to be fitted, and brings back the results.

    Until a fit has come, and where it fails or comes too late, the last good one stays. A
    model whose fits fail again and again is tried ever more rarely: after the third failure
    in a row every second fit that is due, then every fourth, and so on.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._busy = False
        self._failures: dict[str, int] = {}
        self._left_out: dict[str, int] = {}

    def tick(self, forecaster: Forecaster) -> tuple[str, ...]:
        """Bring back what is done, and begin what is due; an alarm for all that went wrong."""
        alarms = self._bring_back(forecaster)
        if self._busy:
            return alarms
        try:
            task = forecaster.fit_task()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a forecaster may fail in any way
            return (*alarms, f"forecaster {forecaster.name}: fit_task raised {error!r}")
        if task is None or self._rests(task.model):
            return alarms
        self._busy = True
        self._runner.start(task)
        return (*alarms, *self._bring_back(forecaster))

    def _bring_back(self, forecaster: Forecaster) -> tuple[str, ...]:
        outcome = self._runner.outcome()
        if outcome is None:
            return ()
        self._busy = False
        wrong = outcome.error or _taken(forecaster, outcome.result)
        model = outcome.task.model
        if wrong is None:
            self._failures.pop(model, None)
            return ()
        self._failures[model] = self._failures.get(model, 0) + 1
        self._left_out[model] = 0
        rest = self._rest(model)
        rarely = f"; of those due only one in {rest + 1} is tried" if rest else ""
        return (f"fit of {model} {wrong}; the last good one stays{rarely}",)

    def _rests(self, model: str) -> bool:
        """Whether this fit is one to be left out."""
        if self._left_out.get(model, 0) >= self._rest(model):
            return False
        self._left_out[model] = self._left_out.get(model, 0) + 1
        return True

    def _rest(self, model: str) -> int:
        """Fits to leave out before the next try."""
        beyond = self._failures.get(model, 0) - PATIENCE
        return 0 if beyond < 0 else min(2 ** (beyond + 1) - 1, LONGEST_REST - 1)


def _taken(forecaster: Forecaster, result: Any) -> str | None:
    """Let the forecaster have a result; what is wrong where it cannot take it."""
    try:
        forecaster.fitted(result)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a forecaster may fail in any way
        return f"could not be taken: raised {error!r}"
    return None

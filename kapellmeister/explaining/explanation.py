"""An explanation of a run, part by part."""

from __future__ import annotations

from policies.proposal import Verdict
from simulators.figures import Figures


class Predicted(Figures):
    """A prediction of the model at one load (None: unknown), with the change and without."""

    load: float | None
    changed: float
    unchanged: float


class Outcome(Figures):
    """The outcome of a change: the prediction at the load observed then, and what was measured."""

    after_s: float
    verdict: Verdict
    predicted: Predicted
    measured: float | None
    reason: str


class Decision(Figures):
    """A knob that was turned, or in shadow only wanted so; `at_s` counts from the start of the run.

    `quantity` is what was predicted of. `outcome` is None where none was recorded.
    """

    change: str
    at_s: float
    knob: str
    turn: str
    reason: str
    diagnosis: str
    rejected: tuple[str, ...]
    shadow: bool
    refused: str | None
    quantity: str
    unit: str
    load_unit: str
    predicted: Predicted
    outcome: Outcome | None


class Held(Figures):
    """A knob that was wanted turned and was not, for how long and whether that was too long."""

    at_s: float
    seen_for_s: float
    knob: str
    reason: str
    alarm: bool


class Alarm(Figures):
    """Something a person should look at: when first, and in how many ticks."""

    at_s: float
    text: str
    ticks: int


class Given(Figures):
    """A person's command to the controller; `answer` is None where none came."""

    at_s: float
    command: str
    answer: str | None


class Explanation(Figures):
    """A run, decision by decision; `ended` is False where it goes on or was cut short.

    `miss_rate` is that of the whole run, None where it has no summary.
    """

    run: int
    plant: str
    policy: str
    started_at_s: float
    ended: bool
    running: bool
    miss_rate: float | None
    duration_s: float
    ticks: int
    decisions: tuple[Decision, ...]
    decisions_in_all: int
    held: tuple[Held, ...]
    commands: tuple[Given, ...]
    alarms: tuple[Alarm, ...]

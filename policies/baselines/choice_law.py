"""Laws of a knob with a few values: those that it may have, and the one they propose."""

from __future__ import annotations

from dataclasses import dataclass

from policies.knobs import Choice
from policies.policy import Context
from policies.proposal import Action, Effect, Expectation, Proposal


@dataclass(frozen=True, slots=True)
class ChoiceReading:
    """A knob of whole numbers: the one in force, and those that it may have, ascending."""

    knob: str
    value: int
    values: tuple[int, ...]

    @classmethod
    def of(cls, context: Context, name: str) -> ChoiceReading | None:
        """None on a plant without such a knob to turn."""
        knob, value = context.knobs.get(name), context.settings.get(name)
        if knob is None or not isinstance(knob.domain, Choice) or not isinstance(value, int):
            return None
        values = tuple(each for each in knob.domain.values if isinstance(each, int))
        return cls(name, value, values)

    def propose(self, value: int, why: str) -> Proposal:
        """Ask for that value, nothing where it is in force; such laws promise nothing."""
        if value == self.value:
            return Proposal(reason=why)
        effect = Effect("miss_rate", "of the blocks", (Expectation(0.0, 1.0, 1.0),))
        return Proposal((Action(self.knob, value, why, effect),))

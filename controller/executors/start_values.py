"""Values to start with, for knobs that cannot have the values they were given."""

from __future__ import annotations

from collections.abc import Mapping

from policies.knobs import Bounds, Choice, Domain, Knob, KnobValue


def replacements(
    knobs: Mapping[str, Knob], values: Mapping[str, KnobValue]
) -> dict[str, int | float]:
    """The nearest value that its knob can have, for each number that lies outside its domain."""
    found: dict[str, int | float] = {}
    for knob, value in values.items():
        if knob in knobs and isinstance(value, int | float):
            domain = knobs[knob].domain
            nearest = None if domain.allows(value) else _nearest(domain, value)
            found |= {} if nearest is None else {knob: nearest}
    return found


def _nearest(domain: Domain, value: float) -> int | float | None:
    """The number of the domain that is nearest to the value; None where it has no number."""
    match domain:
        case Bounds(low, high):
            return min(max(round(value), low), high)
        case Choice(values):
            numbers = [each for each in values if isinstance(each, int | float)]
            return min(numbers, key=lambda each: abs(each - value), default=None)
        case _:
            return None

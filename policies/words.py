"""The value of a knob in words, of the classes of work only those that its plant has."""

from __future__ import annotations

from policies.knobs import AnyThreadClasses, Knob, KnobValue, ThreadClass, ThreadClasses


def words(value: KnobValue | None, knob: Knob) -> str:
    """The value for people to read."""
    if not isinstance(value, ThreadClasses):
        return str(value)
    return "; ".join(f"{name} {each}" for name, each in scheduled(value, knob).items())


def scheduled(value: KnobValue | None, knob: Knob | None) -> dict[str, ThreadClass]:
    """How each class of work is scheduled; empty for what schedules none.

    Without a `knob`, nobody knows which of the classes the plant has: all are told.
    """
    if not isinstance(value, ThreadClasses):
        return {}
    domain = None if knob is None else knob.domain
    here = domain.classes if isinstance(domain, AnyThreadClasses) else None
    return {name: each for name, each in value.items() if here is None or name in here}

"""Which way a change goes, how far it may go at once, and what is under way on its resource."""

from __future__ import annotations

from controller.guard.review_context import ReviewContext
from policies.knobs import (
    AnyThreadClasses,
    Bounds,
    Choice,
    Direction,
    Knob,
    KnobValue,
    ThreadClasses,
)
from policies.proposal import Action, Change


def not_allowed(value: KnobValue, knob: Knob) -> str:
    """The value, or of the classes of work those that ask for too much."""
    domain = knob.domain
    if not isinstance(value, ThreadClasses) or not isinstance(domain, AnyThreadClasses):
        return str(value)
    asked = (f"{name} {each}" for name, each in value.items() if not domain.permits(each))
    return "; ".join(asked)


def awaited(knob: Knob, context: ReviewContext) -> str | None:
    """Why the knob waits for what the plant put in force again; None where it need not."""
    others = (each for each in context.knobs.values() if each.resource == knob.resource)
    return next((each.awaits for each in others if each.awaits), None)


def evaluation(knob: Knob, context: ReviewContext) -> str | None:
    """Why the knob waits for the change under evaluation on its resource; None where none is."""
    change = context.pending.get(knob.resource)
    return None if change is None else f"{knob.resource} awaits the verification of {change.id}"


def is_in_force(action: Action, context: ReviewContext) -> bool:
    """Whether nothing need be done: not so where less was asked for and has yet to come."""
    if action.value != context.settings.get(action.knob):
        return False
    knob = context.knobs[action.knob]
    leaving = context.pending.get(knob.resource)
    if leaving is None or leaving.action.knob != action.knob:
        return True
    return not is_growth(knob, leaving.action.value, action.value)


def yielding(knob: Knob, context: ReviewContext) -> Change | None:
    """A change of this very knob under evaluation that gives way to a growth.

    One that is not in force yet, or a shrink: what was given back may be needed again at once.
    """
    change = context.pending.get(knob.resource)
    if change is None or change.action.knob != knob.id or knob.id not in context.settings:
        return None
    value = change.action.value
    growing = is_growth(knob, context.settings[knob.id], value)
    return change if growing or is_growth(knob, value, change.previous) else None


def is_growth(knob: Knob, before: KnobValue, after: KnobValue) -> bool:
    """Whether turning the knob so asks for more."""
    return knob.direction(before, after) is Direction.GROW


def shrinks(action: Action, context: ReviewContext) -> bool:
    """Whether an action that is allowed gives something back."""
    before = context.settings.get(action.knob)
    if before is None or not context.knobs[action.knob].domain.allows(action.value):
        return False
    direction = context.knobs[action.knob].direction(before, action.value)
    return direction is Direction.SHRINK


def within_a_step(knob: Knob, before: KnobValue, wanted: KnobValue, one_step: bool) -> KnobValue:
    """The value wanted, or as far towards it as one change may go.

    Bounds state their step; along a choice any distance will do, unless `one_step`.
    """
    domain = knob.domain
    if isinstance(domain, Bounds) and isinstance(before, int) and isinstance(wanted, int):
        return max(before - domain.step, min(before + domain.step, wanted))
    if isinstance(domain, Choice) and one_step and before in domain.values:
        here, there = domain.values.index(before), domain.values.index(wanted)
        return domain.values[max(here - 1, min(here + 1, there))]
    return wanted

"""Policies are anyone's code: what they raise or get wrong becomes an alarm."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from policies.knobs import AnyThreadClasses, Bounds, Choice, Domain, Knob, KnobValue, ThreadClasses
from policies.policy import Context, Policy, State
from policies.proposal import Effect, Proposal

PLAIN = json.JSONEncoder(allow_nan=False)
"""Encoder that refuses whatever could not be written to the journal."""


def decide(policy: Policy, context: Context, state: State) -> tuple[Proposal, State, str | None]:
    """A policy's decision and new state; nothing, the old state and an alarm if it is nonsense."""
    try:
        proposal, new_state = policy.decide(context, state)
        wrong = _nonsense(proposal, context.knobs)
        if new_state is not None:
            PLAIN.encode(new_state)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a policy may fail in any way
        wrong = f"raised {error!r}"
    if wrong is None:
        return proposal, new_state, None
    alarm = f"policy {policy.name} {wrong}; nothing is turned on its word"
    return Proposal(reason=alarm), state, alarm


def _nonsense(proposal: object, knobs: Mapping[str, Knob]) -> str | None:
    """The fault of a proposal as such; whether it is wise is for the guard."""
    if not isinstance(proposal, Proposal):
        return f"returned a {type(proposal).__name__}, not a Proposal"
    promised: tuple[object, object] = proposal.actions, proposal.reason  # by types, not by anyone
    if not isinstance(promised[0], tuple) or not isinstance(promised[1], str):
        return "returned a proposal whose actions are no tuple, or whose reason is no text"
    for action in proposal.actions:
        if action.knob not in knobs:
            known = ", ".join(knobs) or "none"
            return f"turned a knob {action.knob!r} that this plant has not (it has {known})"
        if not _has_type_of(knobs[action.knob].domain, action.value):
            return f"turned {action.knob} to {action.value!r}, which is not of its type"
        if not _is_prediction(action.effect):
            return f"promised for {action.knob} an effect that is no prediction"
    return None


def _has_type_of(domain: Domain, value: KnobValue) -> bool:
    types: dict[type, set[type]] = {Bounds: {int}, AnyThreadClasses: {ThreadClasses}}
    if isinstance(domain, Choice):
        return type(value) in {type(each) for each in domain.values}
    return type(value) in types[type(domain)]


def _is_prediction(effect: Effect) -> bool:
    """Whether the curve has points of finite figures, none negative, at ascending loads."""
    loads = [point.load for point in effect.curve]
    figures = [each for point in effect.curve for each in (point.changed, point.unchanged)]
    return (
        bool(loads)
        and all(math.isfinite(each) for each in loads + figures)
        and min(figures) >= 0.0
        and loads == sorted(loads)
    )

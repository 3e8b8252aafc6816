"""The conductor: turns the cheapest knob that helps, on evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar, cast

from policies.alternatives import Alternative, alternatives, node_model
from policies.diagnosis import Bottleneck
from policies.nodes import NodeModel
from policies.policy import Context, State
from policies.proposal import Action, Proposal, Verdict

RETRY_AFTER_S = 600.0
"""How long a step that did not help is left alone while the evidence stays the same."""
WITHOUT_SUCCESS = (Verdict.FELL_SHORT, Verdict.ROLLED_BACK, Verdict.REFUSED)


@dataclass(frozen=True, slots=True)
class _Memory:
    """What is remembered from one decision to the next.

    `step_of` names the last step taken with each knob; `spent` when a step did not help, was
    undone or refused. A step's key joins the bottleneck and what was done: another bottleneck
    is other evidence. `share_per_stream` is the work of a stream when it was last measured.
    """

    step_of: Mapping[str, str] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    share_per_stream: float | None = None

    @property
    def model(self) -> NodeModel | None:
        """The work of a stream, as far as it is known."""
        return None if self.share_per_stream is None else NodeModel(self.share_per_stream)


class Conductor:
    """Asks what holds the blocks up, and takes the cheapest step against it.

    It begins with every knob as found and earns each change by a diagnosis. A step that did
    not bring what it promised is not repeated on the same evidence; one that did is kept.
    The node count also follows the load: up with the forecast's peak, down only when one
    node fewer would carry the load now seen and the peak as well.
    """

    name = "conductor"
    looks_back_s: ClassVar[float] = 7200.0

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Propose at most one action, so that what comes of it has one cause."""
        memory = _learn(_recall(state), context)
        action, step, rejected = _choose(context, memory)
        if action is None:
            return Proposal((), _why_nothing(context, rejected), rejected), _plain(memory)
        step_of = {**memory.step_of, action.knob: _key(context, step)}
        return Proposal((action,), rejected=rejected), _plain(replace(memory, step_of=step_of))


def _choose(context: Context, memory: _Memory) -> tuple[Action | None, str, tuple[str, ...]]:
    """The first alternative that nothing speaks against, its step, and why not the others."""
    action, step, rejected = None, "", dict[str, str]()
    for each in alternatives(context, memory.model):
        objection = _objection(each, context, memory)
        if objection is None and action is None:
            action, step = each.action, each.step
        elif each.step != step:
            rejected.setdefault(each.step, objection or f"{step} comes first and is judged first")
    return action, step, tuple(f"{name}: {why_not}" for name, why_not in rejected.items())


def _objection(each: Alternative, context: Context, memory: _Memory) -> str | None:
    if each.action is None:
        return each.why_not
    if each.action.knob in context.unavailable:
        return context.unavailable[each.action.knob]
    spent_at_s = memory.spent.get(_key(context, each.step))
    if spent_at_s is not None:
        ago_s = context.time_s - spent_at_s
        return f"tried {ago_s:.0f} s ago on the same evidence, without success"
    return None


def _why_nothing(context: Context, rejected: tuple[str, ...]) -> str:
    summary = context.diagnosis.summary
    if context.diagnosis.bottleneck is Bottleneck.NONE or not rejected:
        return summary
    return f"{summary}; no step against it is open now"


def _learn(memory: _Memory, context: Context) -> _Memory:
    """Note what was measured and which steps did not help; forget those of long ago."""
    spent = {
        key: at_s
        for key, at_s in memory.spent.items()
        if 0.0 <= context.time_s - at_s < RETRY_AFTER_S
    }
    for verified in context.verified:
        key = memory.step_of.get(verified.knob)
        if key is not None and verified.verdict in WITHOUT_SUCCESS:
            spent[key] = context.time_s
    measured = node_model(context)
    share = memory.share_per_stream if measured is None else measured.share_per_stream
    return _Memory(memory.step_of, spent, share)


def _key(context: Context, step: str) -> str:
    return f"{context.diagnosis.bottleneck}/{step}"


def _recall(state: State) -> _Memory:
    """The memory of an earlier decision; a fresh one where the state is none of ours."""
    if not isinstance(state, dict):
        return _Memory()
    step_of, spent, share = (state.get(name) for name in _Memory.__dataclass_fields__)
    return _Memory(
        {key: each for key, each in _items(step_of) if isinstance(each, str)},
        {key: each for key, each in _items(spent) if isinstance(each, int | float)},
        share if isinstance(share, float) and share > 0.0 else None,
    )


def _items(state: State) -> list[tuple[str, State]]:
    return list(state.items()) if isinstance(state, dict) else []


def _plain(memory: _Memory) -> State:
    return cast(State, asdict(memory))

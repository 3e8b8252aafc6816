"""The conductor: turns the cheapest knob that helps, on evidence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import cast

from policies import batching, threads
from policies.diagnosis import Bottleneck
from policies.knobs import AnyThreadClasses, Bounds, Choice, ThreadClasses
from policies.nodes import RESERVE_SHARE, NodeModel
from policies.observation import fresh
from policies.policy import Context, State
from policies.proposal import Action, Effect, Expectation, Proposal, Verdict

RETRY_AFTER_S = 600.0
"""How long a step that did not help is left alone while the evidence stays the same."""
PEAK_QUANTILE = 0.99
PREEMPTED_MISS_RATE = 0.2
"""What other threads can cost audio that they pre-empt, whatever one interval says.

Four spinners on two processors made static miss 1 to 17 % in successive seconds; an interval
that saw the onset, or only a breach, would promise far too little.
"""


@dataclass(frozen=True, slots=True)
class _Memory:
    """`step_of` names the last step taken with each knob; `spent` when a step did not help.

    A step's name joins the bottleneck and what was done: another bottleneck is other evidence.
    A step that was refused or never came into force did not help either.
    """

    step_of: dict[str, str] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An action, and the name of the step that it is."""

    step: str
    action: Action


class Conductor:
    """Asks what holds the blocks up, and takes the cheapest step against it.

    It begins with every knob as found and earns each change by a diagnosis. A step that did
    not bring what it promised is not repeated on the same evidence; one that did is kept.
    The node count also follows the load: up with the forecast's peak, down only when one
    node fewer would carry the load now seen and the peak as well.
    """

    name = "conductor"

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Propose at most one action per knob."""
        memory = _learn(_recall(state), context)
        rejected: list[str] = []
        for candidate in _candidates(context):
            objection = _objection(candidate, context, memory)
            if objection is None:
                key = _key(context, candidate.step)
                chosen = {**memory.step_of, candidate.action.knob: key}
                proposal = Proposal((candidate.action,), rejected=tuple(rejected))
                return proposal, _plain(_Memory(chosen, memory.spent))
            rejected.append(f"{candidate.step}: {objection}")
        return Proposal((), context.diagnosis.summary, tuple(rejected)), _plain(memory)


def _candidates(context: Context) -> Iterator[_Candidate]:
    """What could be done, in the order of the diagnosis; then what the load asks for."""
    by_knob = {"thread_classes": _thread_steps, "batch_size": _batches, "nodes": _more_nodes}
    for knob in context.diagnosis.helpful_knobs:
        if knob in by_knob and knob in context.settings:
            yield from by_knob[knob](context)
    if "nodes" in context.settings and isinstance(context.knobs["nodes"].domain, Bounds):
        yield from _nodes_for_the_load(context)


def _thread_steps(context: Context) -> Iterator[_Candidate]:
    domain = context.knobs["thread_classes"].domain
    now = context.settings["thread_classes"]
    if not isinstance(domain, AnyThreadClasses) or not isinstance(now, ThreadClasses):
        return
    processors = _processors(context)
    for step in threads.steps(domain, now, context.objective.priority, processors):
        reason = f"{context.diagnosis.summary}; {step.gain}"
        action = Action("thread_classes", step.classes, reason, _relief(context))
        yield _Candidate(step.name, action)


def _processors(context: Context) -> int:
    """How many processors carry the audio threads with the reserve; one each if unknown."""
    nodes = context.settings.nodes if "nodes" in context.settings else 1
    busy = fresh(context.observation.get("audio.utilisation"))
    return nodes if busy is None else max(1, math.ceil(nodes * busy / (1.0 - RESERVE_SHARE)))


def _batches(context: Context) -> Iterator[_Candidate]:
    domain, streams = context.knobs["batch_size"].domain, fresh(context.observation.load)
    now = context.settings.batch_size
    if not isinstance(domain, Choice) or streams is None:
        return
    nodes = context.settings.nodes if "nodes" in context.settings else 1
    value = batching.larger(domain, now, streams, nodes)
    if value is not None:
        calls = batching.calls_per_block(streams, nodes, now)
        reason = (
            f"{context.diagnosis.summary}; a block takes {calls} calls of {now} streams, "
            f"and fewer with {value}"
        )
        yield _Candidate(f"batch_{value}", Action("batch_size", value, reason, _relief(context)))


def _more_nodes(context: Context) -> Iterator[_Candidate]:
    """One more node, because the blocks themselves say so, whatever the model thinks."""
    domain, now = context.knobs["nodes"].domain, context.settings.nodes
    if isinstance(domain, Bounds) and now < domain.high:
        reason = f"{context.diagnosis.summary}; {now + 1} nodes share the work"
        model, streams = _node_model(context), fresh(context.observation.load)
        effect = _relief(context)
        if model is not None and streams is not None:
            effect = model.effect(now, now + 1, streams, _missed(context))
        yield _Candidate(f"nodes_{now + 1}", Action("nodes", now + 1, reason, effect))


def _nodes_for_the_load(context: Context) -> Iterator[_Candidate]:
    """As many nodes as the load and its forecast peak need; a missing load changes nothing.

    Growing looks as far ahead as a node takes to come; shrinking, as far as the forecast does.
    """
    domain, now = cast(Bounds, context.knobs["nodes"].domain), context.settings.nodes
    model, streams = _node_model(context), fresh(context.observation.load)
    if model is None or streams is None:
        return
    soon = max(streams, _forecast_peak(context, _lead_s(context)) or streams)
    ever = max(soon, _forecast_peak(context) or soon)
    calm = context.diagnosis.bottleneck is Bottleneck.NONE
    if now < min(model.needed(soon), domain.high):
        after, peak = now + 1, soon
    elif now > max(model.needed(ever), domain.low) and calm:
        after, peak = now - 1, ever
    else:
        return
    reason = _node_reason(context, model, streams, peak, now)
    effect = model.effect(now, after, peak, _missed(context))
    yield _Candidate(f"nodes_{after}", Action("nodes", after, reason, effect))


def _node_reason(context: Context, model: NodeModel, streams: float, peak: float, now: int) -> str:
    return (
        f"{streams:.0f} {context.observation.load_unit} now and {peak:.0f} at the forecast peak "
        f"keep {now} nodes {model.utilisation(streams, now):.0%} and "
        f"{model.utilisation(peak, now):.0%} busy; {model.needed(peak)} carry the peak with "
        "15 % in reserve"
    )


def _node_model(context: Context) -> NodeModel | None:
    busy = fresh(context.observation.get("audio.utilisation"))
    streams = fresh(context.observation.load)
    if busy is None or streams is None:
        return None
    return NodeModel.of(busy, streams, context.settings.nodes)


def _lead_s(context: Context) -> float:
    """The time in which a node would arrive and settle."""
    knob = context.knobs["nodes"]
    return knob.delay_s + knob.settle_s


def _forecast_peak(context: Context, window_s: float = math.inf) -> float | None:
    """The peak within the window, at most the whole forecast; None without a forecast."""
    forecast = context.forecast
    if forecast is None:
        return None
    steps = min(window_s / forecast.step_s, forecast.steps)
    return forecast.peak_quantile(PEAK_QUANTILE, max(1, round(steps)))


def _missed(context: Context) -> float:
    return fresh(context.observation.miss_rate) or 0.0


def _relief(context: Context) -> Effect:
    """The promise that what is missed now will not be, at whatever load."""
    missed, target = _missed(context), context.objective.target_miss_rate
    load = fresh(context.observation.load) or 0.0
    preempted = context.diagnosis.bottleneck is Bottleneck.PREEMPTION
    unchanged = max(missed, PREEMPTED_MISS_RATE if preempted else target)
    expected = Expectation(load, min(missed, target / 2), unchanged)
    return Effect("miss_rate", "of the blocks", (expected,))


def _objection(candidate: _Candidate, context: Context, memory: _Memory) -> str | None:
    knob = candidate.action.knob
    if knob in context.unavailable:
        return context.unavailable[knob]
    spent_at_s = memory.spent.get(_key(context, candidate.step))
    if spent_at_s is not None:
        return (
            f"tried {context.time_s - spent_at_s:.0f} s ago on the same evidence, without success"
        )
    return None


def _learn(memory: _Memory, context: Context) -> _Memory:
    """Note the steps that did not help, and forget those of long ago."""
    spent = {
        key: at_s for key, at_s in memory.spent.items() if context.time_s - at_s < RETRY_AFTER_S
    }
    for verified in context.verified:
        key = memory.step_of.get(verified.knob)
        if key is not None and verified.verdict is not Verdict.CONFIRMED:
            spent[key] = context.time_s
    return _Memory(memory.step_of, spent)


def _key(context: Context, step: str) -> str:
    return f"{context.diagnosis.bottleneck}/{step}"


def _recall(state: State) -> _Memory:
    if not isinstance(state, dict):
        return _Memory()
    return _Memory(
        cast(dict[str, str], state.get("step_of", {})),
        cast(dict[str, float], state.get("spent", {})),
    )


def _plain(memory: _Memory) -> State:
    return cast(State, asdict(memory))

"""What could be turned, knob by knob, cheapest first, and what it would bring."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from policies import batching, threads
from policies.diagnosis import Bottleneck
from policies.knobs import AnyThreadClasses, Bounds, Choice, KnobValue, ThreadClasses
from policies.nodes import RESERVE_SHARE, NodeModel
from policies.observation import fresh
from policies.policy import Context
from policies.proposal import Action, Effect, Expectation

PEAK_QUANTILE = 0.99
SHRINK_MARGIN = 1.1
"""Fewer nodes must carry a tenth more than the peak, or noise at the edge would undo it."""
PREEMPTED_MISS_RATE = 0.2
"""What other threads can cost audio that they pre-empt, whatever one interval says.

Four spinners on two processors made static miss 1 to 17 % in successive seconds; an interval
that saw the onset, or only a breach, would promise far too little.
"""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One thing that could be done; `action` is None where it is not open, and `why_not` says why.

    `step` tells it from the others and stays the same when its figures change.
    """

    step: str
    action: Action | None = None
    why_not: str = ""


def alternatives(context: Context, model: NodeModel | None) -> Iterator[Alternative]:
    """What helps against the diagnosed bottleneck, in its order; then what the load asks for.

    `model` is what is known of the work of a stream. Whatever the plant lacks is left out.
    """
    for knob in context.diagnosis.helpful_knobs:
        if knob in context.knobs and knob in context.settings:
            yield from _against_the_bottleneck(knob, context, model)
    nodes = _nodes(context)
    if nodes is not None and model is not None:
        yield from _for_the_load(context, nodes, model)


def node_model(context: Context) -> NodeModel | None:
    """The work of a stream as this interval shows it; None where it shows nothing."""
    busy = fresh(context.observation.get("audio.utilisation"))
    streams = fresh(context.observation.load)
    if busy is None or streams is None:
        return None
    return NodeModel.of(busy, streams, _nodes(context) or 1)


def _against_the_bottleneck(
    knob: str, context: Context, model: NodeModel | None
) -> Iterator[Alternative]:
    if knob == "thread_classes":
        yield from _thread_steps(context)
    elif knob == "batch_size":
        yield from _larger_batch(context)
    elif knob == "nodes":
        yield from _one_more_node(context, model)


def _thread_steps(context: Context) -> Iterator[Alternative]:
    domain = context.knobs["thread_classes"].domain
    now = context.settings["thread_classes"]
    if not isinstance(domain, AnyThreadClasses) or not isinstance(now, ThreadClasses):
        return
    processors = _processors(context)
    for step in threads.steps(domain, now, context.objective.priority, processors):
        yield _relieving(context, "thread_classes", step.classes, step.name, step.gain)


def _larger_batch(context: Context) -> Iterator[Alternative]:
    domain, streams = context.knobs["batch_size"].domain, fresh(context.observation.load)
    now, nodes = context.settings["batch_size"], _nodes(context) or 1
    if not isinstance(domain, Choice) or not isinstance(now, int) or now < 1 or streams is None:
        return
    value = batching.larger(domain, now, streams, nodes)
    if value is None:
        yield Alternative("larger batch", why_not="saves no kernel call")
        return
    calls = batching.calls_per_block(streams, nodes, now)
    gain = f"a block takes {calls} calls of {now} streams, and fewer with {value}"
    yield _relieving(context, "batch_size", value, f"batch_{value}", gain)


def _one_more_node(context: Context, model: NodeModel | None) -> Iterator[Alternative]:
    """Because the blocks themselves say so, whatever the model thinks."""
    domain, now = context.knobs["nodes"].domain, _nodes(context)
    if now is None or not isinstance(domain, Bounds):
        return
    if now >= domain.high:
        yield Alternative("another node", why_not=f"there are {now} already, the most allowed")
        return
    streams = fresh(context.observation.load)
    effect = _relief(context)
    if model is not None and streams is not None:
        effect = model.effect(now, now + 1, streams, _missed(context))
    reason = f"{context.diagnosis.summary}; {now + 1} nodes share the work"
    yield Alternative(f"nodes_{now + 1}", Action("nodes", now + 1, reason, effect))


def _for_the_load(context: Context, now: int, model: NodeModel) -> Iterator[Alternative]:
    """As many nodes as the load and its forecast peak need; a missing load changes nothing.

    Growing looks as far ahead as a node takes to come; shrinking, as far as the forecast does.
    """
    domain, streams = context.knobs["nodes"].domain, fresh(context.observation.load)
    if not isinstance(domain, Bounds) or streams is None:
        return
    soon = max(streams, _forecast_peak(context, _lead_s(context)) or streams)
    if now < min(model.needed(soon), domain.high):
        yield _resized(context, model, streams, soon, now + 1)
    elif now > domain.low and context.diagnosis.bottleneck is Bottleneck.NONE:
        yield _one_node_fewer(context, model, streams, now)


def _one_node_fewer(context: Context, model: NodeModel, streams: float, now: int) -> Alternative:
    """Only where a forecast exists and fewer would carry its peak and the load now seen."""
    step, peak = f"nodes_{now - 1}", _forecast_peak(context)
    if peak is None:
        return Alternative(step, why_not="nothing shrinks without a forecast of the load")
    peak = max(streams, peak)
    if model.needed(SHRINK_MARGIN * peak) >= now:
        busy = model.utilisation(SHRINK_MARGIN * peak, now - 1)
        return Alternative(step, why_not=f"could be {busy:.0%} busy at the peak of {peak:.0f}")
    return _resized(context, model, streams, peak, now - 1)


def _resized(
    context: Context, model: NodeModel, streams: float, peak: float, after: int
) -> Alternative:
    now = context.settings.nodes
    reason = (
        f"{streams:.0f} {context.observation.load_unit} now and {peak:.0f} at the forecast peak "
        f"keep {now} {'node' if now == 1 else 'nodes'} {model.utilisation(streams, now):.0%} and "
        f"{model.utilisation(peak, now):.0%} busy; {model.needed(peak)} carry the peak with "
        f"{RESERVE_SHARE:.0%} in reserve"
    )
    effect = model.effect(now, after, peak, _missed(context))
    return Alternative(f"nodes_{after}", Action("nodes", after, reason, effect))


def _relieving(context: Context, knob: str, value: KnobValue, step: str, gain: str) -> Alternative:
    reason = f"{context.diagnosis.summary}; {gain}"
    return Alternative(step, Action(knob, value, reason, _relief(context)))


def _relief(context: Context) -> Effect:
    """The promise that what is missed now will not be, at whatever load."""
    missed, target = _missed(context), context.objective.target_miss_rate
    preempted = context.diagnosis.bottleneck is Bottleneck.PREEMPTION
    unchanged = max(missed, PREEMPTED_MISS_RATE if preempted else target)
    load = fresh(context.observation.load) or 0.0
    return Effect("miss_rate", "of the blocks", (Expectation(load, 0.0, unchanged),))


def _processors(context: Context) -> int:
    """How many processors carry the audio threads with the reserve; one each if unknown."""
    nodes = _nodes(context) or 1
    busy = fresh(context.observation.get("audio.utilisation"))
    return nodes if busy is None else max(1, math.ceil(nodes * busy / (1.0 - RESERVE_SHARE)))


def _nodes(context: Context) -> int | None:
    """Nodes in force; None where the plant has no such knob, or does not say."""
    nodes = context.settings.get("nodes")
    return nodes if "nodes" in context.knobs and isinstance(nodes, int) and nodes > 0 else None


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

"""The conductor: turns all knobs together, each on evidence or on what is expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from policies.conductor.alternatives import Alternative
from policies.conductor.arbiter import arbitrate
from policies.conductor.remedies.batching import savings
from policies.conductor.remedies.remedies import remedies
from policies.conductor.remedies.retuning import retunings
from policies.conductor.situation import Situation
from policies.conductor.sizing.estimates import Estimates
from policies.conductor.sizing.node_capacity import NodeCapacity
from policies.conductor.sizing.outlook import Outlook, corrected, look_out
from policies.conductor.sizing.sizing import resizing, wanted
from policies.conductor.state import ConductorState
from policies.constants import Switch
from policies.policy import Context, State
from policies.proposal import Proposal

WEIGH_EVERY_S = 60.0
"""Seconds between two times that other settings are weighed while nothing presses."""


class Conductor:
    """Asks what holds the blocks up and what is to come, and takes the cheapest step.

    Three questions, in this order: what helps against the bottleneck that is diagnosed; which
    setting of the knobs that act at once would be cheaper; and how many nodes are cheapest for
    the peak that may come before another could serve. Of the steps that are open it takes one
    on each resource, so that what comes of it has one cause. A step that did not bring what it
    promised is not repeated on the same evidence. Nodes leave once none of the decisions of half
    a lead window has wanted them, or of a minute where no model says what they carry. `predictive`
    0 leaves the forecast out.
    """

    name: ClassVar[str] = "conductor"
    looks_back_s: ClassVar[float] = 3 * 86_400.0
    turns: ClassVar[frozenset[str] | None] = None
    """The knobs that it may turn; None: all."""

    def __init__(self, predictive: Switch = 1.0) -> None:
        self._predictive = bool(predictive)

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Propose at most one action on each resource."""
        situation = Situation.of(context, self.turns)
        remembered = ConductorState.recall(state).learned(situation, context.verified)
        recent = remembered.recent_misses(situation.objective.target_miss_rate)
        estimates = Estimates.recall(state)
        estimates.see(situation)
        factor, predictive = corrected(remembered.streams_factor, situation), self._predictive
        outlook = look_out(situation, context.forecast, estimates, factor, predictive=predictive)
        groups: list[Iterable[Alternative]] = [remedies(situation, outlook, recent)]
        if outlook is not None:
            foreseen, remembered = _foresee(situation, outlook, estimates.capacity, remembered)
            groups += foreseen
        chosen = arbitrate(situation, context.unavailable, remembered.spent, groups)
        remedy = chosen.taken[0]
        if situation.law is None and remedy is not None and remedy.knob == "nodes":
            estimates.capacity.note_too_many(situation)
        step_of = {**remembered.step_of, **chosen.step_of}
        remembered = replace(remembered, step_of=step_of, streams_factor=factor)
        return chosen.proposal, remembered.plain() | estimates.plain()


class Nodes(Conductor):
    """The conductor, turning the node count alone."""

    name = "nodes"
    turns = frozenset({"nodes"})


class Batching(Conductor):
    """The conductor, turning the batch size alone."""

    name = "batching"
    turns = frozenset({"batch_size"})


class Threads(Conductor):
    """The conductor, turning the thread classes alone."""

    name = "threads"
    turns = frozenset({"thread_classes"})


class Vram(Conductor):
    """The conductor, turning the size of memory blocks alone."""

    name = "vram"
    turns = frozenset({"vram_block_bytes"})


def _foresee(
    situation: Situation, outlook: Outlook, capacity: NodeCapacity, remembered: ConductorState
) -> tuple[list[Iterable[Alternative]], ConductorState]:
    """Weigh the knobs that act at once now and then, and the nodes each time."""
    weighed_at_s, staffing = remembered.weighed_at_s, outlook.staffing
    due = weighed_at_s is None or not 0.0 <= situation.time_s - weighed_at_s < WEIGH_EVERY_S
    groups: list[Iterable[Alternative]] = []
    if due or outlook.pressed:
        groups.append(retunings(situation, outlook))
        remembered = replace(remembered, weighed_at_s=situation.time_s)
    if staffing is None:
        return groups, remembered
    remembered = replace(
        remembered, wanted=wanted(remembered.wanted, situation, outlook, staffing.nodes)
    )
    resized = resizing(situation, outlook, capacity, remembered.wanted[0][1])
    if resized is not None:
        groups.append((resized,))
    elif due:
        groups.append(savings(situation, outlook))
    return groups, remembered

"""The conductor: turns all knobs together, each on evidence or on what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

from policies.conductor.alternatives import NODES_STEP, Alternative
from policies.conductor.headroom import Headroom
from policies.conductor.node_capacity import Capacity
from policies.conductor.nodes import Staffing
from policies.conductor.outlook import Outlook, corrected, is_modelled, lead_s, look_out
from policies.conductor.price import MissPrice
from policies.conductor.remedies import Lately, remedies
from policies.conductor.sizing import SAVING, is_pressed, resizing, retunings, savings
from policies.constants import Switch
from policies.diagnosis import Bottleneck
from policies.knobs import Bounds
from policies.observation import fresh
from policies.policy import Context, State
from policies.proposal import Action, Proposal, Verdict

RETRY_AFTER_S = 600.0
"""How long a step that did not help is left alone while the evidence stays the same."""
RETRY_REFUSED_S = 60.0
"""The same of one that was refused: a quota is raised, a permission is given."""
RETRY_SAVING_S = 6 * 3600.0
"""The same of one that was only to save nodes: what it costs to find out must be rare."""
WEIGH_EVERY_S = 60.0
"""How often other settings are weighed while nothing presses."""
WITHOUT_SUCCESS = (Verdict.FELL_SHORT, Verdict.ROLLED_BACK, Verdict.REFUSED)
HELD_LEADS = 0.5
"""A node leaves once no decision within so many lead windows has wanted it."""
HELD_AT_LEAST_S = 60.0
"""Nor before that where no model says what a node carries: what is learned of it wavers."""
LATELY_INTERVALS = 10
TELLING_INTERVALS = 5
"""So many bad intervals have shown what is missed, whatever comes and goes from one to the next."""


@dataclass(frozen=True, slots=True)
class _Memory:
    """What is remembered from one decision to the next.

    `step_of` names the last step taken with each knob; `spent` until when a step is left alone that
    did not help, was undone or refused. A step's key joins the bottleneck and what was done:
    another bottleneck is other evidence. `streams_factor` is how a node compares with the model of
    the pipeline. `wanted` are the node counts of the last half lead window, or the last minute, as
    [time, nodes], the highest first. `bad_at_s` are the decisions of late at which blocks were
    missed, and `missed` the shares that were, as [time, share], since `settled_at_s`, from when on
    the settings are those that `settings` has in words.
    """

    step_of: Mapping[str, str] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    streams_factor: float = 1.0
    wanted: tuple[tuple[float, int], ...] = ()
    weighed_at_s: float | None = None
    bad_at_s: tuple[float, ...] = ()
    settings: str = ""
    settled_at_s: float = 0.0
    missed: tuple[tuple[float, float], ...] = ()


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
        context = self._restricted(context)
        held = state if isinstance(state, dict) else {}
        headroom, price = Headroom.recall(held.get("headroom")), MissPrice.recall(held.get("price"))
        capacity = Capacity.recall(held.get("capacity"))
        memory = _learn(_recall(state), context)
        load, missed = fresh(context.observation.load), fresh(context.observation.miss_rate)
        headroom.see(context.time_s, load)
        price.see(context.time_s, load, missed)
        unmodelled = not is_modelled(context)
        if unmodelled:
            capacity.see(context)
        outlook = look_out(
            context,
            headroom,
            price,
            capacity.most_streams(),
            memory.streams_factor,
            predictive=self._predictive,
        )
        choice = _Choice(context, memory)
        choice.take(remedies(context, outlook, _lately(memory, context)))
        if unmodelled and "nodes" in choice.step_of:
            capacity.note_too_many(context)
        if outlook is not None:
            memory = _foresee(choice, context, outlook, capacity, memory)
        memory = replace(memory, step_of={**memory.step_of, **choice.step_of})
        return choice.proposal(), _plain(memory, headroom, price, capacity)

    def _restricted(self, context: Context) -> Context:
        if self.turns is None:
            return context
        knobs = {knob: each for knob, each in context.knobs.items() if knob in self.turns}
        return replace(context, knobs=knobs)


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


class _Choice:
    """Collects at most one step on each resource, and why the others were not taken."""

    def __init__(self, context: Context, memory: _Memory) -> None:
        self._context = context
        self._memory = memory
        self._actions: list[Action] = []
        self._rejected: dict[str, str] = {}
        self._step_on: dict[str, str] = {}
        self.step_of: dict[str, str] = {}

    def take(self, group: Iterable[Alternative]) -> None:
        """Take the first step of a group that nothing speaks against."""
        taken: str | None = None
        for each in group:
            objection = self._objection(each)
            if objection is None and taken is not None:
                objection = f"{taken} comes first and is judged first"
            if objection is None:
                objection = self._occupied(each)
            if objection is not None:
                self._rejected.setdefault(each.step, objection)
            elif each.action is not None:
                taken = each.step
                self._actions.append(each.action)
                self._step_on[self._resource(each.action)] = each.step
                self.step_of[each.action.knob] = _key(self._context, each.step)

    def proposal(self) -> Proposal:
        """What was taken, or why nothing was.

        A step that one of the three questions rejects may be the answer to another.
        """
        taken = self._step_on.values()
        rejected = tuple(
            f"{step}: {why_not}" for step, why_not in self._rejected.items() if step not in taken
        )
        if self._actions:
            return Proposal(tuple(self._actions), rejected=rejected)
        summary = self._context.diagnosis.summary
        if self._context.diagnosis.bottleneck is not Bottleneck.NONE and rejected:
            summary = f"{summary}; no step against it is open now"
        return Proposal(reason=summary, rejected=rejected)

    def _occupied(self, each: Alternative) -> str | None:
        """Which step was taken already on the same resource; None where none was."""
        first = None if each.action is None else self._step_on.get(self._resource(each.action))
        return None if first is None else f"{first} comes first on the same resource"

    def _resource(self, action: Action) -> str:
        return self._context.knobs[action.knob].resource

    def _objection(self, each: Alternative) -> str | None:
        if each.action is None:
            return each.why_not
        knob = each.action.knob
        if knob in self._context.unavailable:
            return self._context.unavailable[knob]
        until_s = self._memory.spent.get(_key(self._context, each.step))
        if until_s is not None:
            wait_s = until_s - self._context.time_s
            return f"tried on the same evidence without success; again in {wait_s:.0f} s"
        return None


def _foresee(
    choice: _Choice, context: Context, outlook: Outlook, capacity: Capacity, memory: _Memory
) -> _Memory:
    """Weigh the knobs that act at once now and then, and the nodes each time."""
    staffing = _staffing(context, outlook)
    weighed_at_s = memory.weighed_at_s
    due = weighed_at_s is None or not 0.0 <= context.time_s - weighed_at_s < WEIGH_EVERY_S
    if due or is_pressed(context, outlook):
        choice.take(retunings(context, outlook))
        weighed_at_s = context.time_s
    if staffing is None:
        return replace(memory, weighed_at_s=weighed_at_s)
    since_s = context.time_s - _held_s(context, outlook)
    wanted = _wanted(memory.wanted, since_s, (context.time_s, staffing.nodes))
    resized = resizing(context, outlook, capacity, _possible(wanted[0][1], context))
    choice.take(() if resized is None else (resized,))
    if due and resized is None:
        choice.take(savings(context, outlook))
    return replace(memory, weighed_at_s=weighed_at_s, wanted=wanted)


def _held_s(context: Context, outlook: Outlook) -> float:
    held_s = HELD_LEADS * lead_s(context)
    return held_s if outlook.latency is not None else max(held_s, HELD_AT_LEAST_S)


def _staffing(context: Context, outlook: Outlook) -> Staffing | None:
    """The nodes that are cheapest; None on a plant without nodes to turn."""
    knob = context.knobs.get("nodes")
    if knob is None or not isinstance(knob.domain, Bounds):
        return None
    return outlook.needed(outlook.law, knob.domain.low, knob.domain.high)


def _possible(nodes: int, context: Context) -> int:
    """As many of those that were wanted as one change can bring: what is promised is of these.

    There may be fewer than there could be then.
    """
    domain, now = context.knobs["nodes"].domain, context.settings.get("nodes")
    if not isinstance(domain, Bounds):
        return nodes
    possible = min(nodes, domain.high)
    if not isinstance(now, int):
        return possible
    return max(now - domain.step, min(now + domain.step, possible))


def _wanted(
    before: tuple[tuple[float, int], ...], since_s: float, now: tuple[float, int]
) -> tuple[tuple[float, int], ...]:
    """Counts that none after them exceeds, so that the first is the highest of the window."""
    kept = [each for each in before if since_s < each[0] <= now[0] and each[1] > now[1]]
    return (*kept, now)


def _learn(memory: _Memory, context: Context) -> _Memory:
    """Note what was measured and which steps did not help; forget those of long ago."""
    spent = {
        key: until_s
        for key, until_s in memory.spent.items()
        if 0.0 < until_s - context.time_s <= RETRY_SAVING_S
    }
    for verified in context.verified:
        key = memory.step_of.get(verified.knob)
        if key is not None and _without_success(verified.verdict, key):
            spent[key] = context.time_s + _retry_after_s(verified.verdict, key)
    settings, settled_at_s = str(context.settings), memory.settled_at_s
    if settings != memory.settings or _is_unsettled(context):
        settled_at_s = context.time_s
    return replace(
        memory,
        spent=spent,
        streams_factor=corrected(memory.streams_factor, context),
        bad_at_s=_bad_at_s(memory.bad_at_s, context),
        settings=settings,
        settled_at_s=settled_at_s,
        missed=_missed(memory.missed, settled_at_s, context),
    )


def _without_success(verdict: Verdict, key: str) -> bool:
    """Too few nodes for too much work is no failure of nodes: it calls for more of them."""
    if verdict is Verdict.FELL_SHORT and key.startswith(f"{Bottleneck.OVERLOAD}/{NODES_STEP}"):
        return False
    return verdict in WITHOUT_SUCCESS


def _retry_after_s(verdict: Verdict, key: str) -> float:
    if verdict is Verdict.REFUSED:
        return RETRY_REFUSED_S
    return RETRY_SAVING_S if key.endswith(SAVING) else RETRY_AFTER_S


def _bad_at_s(before: tuple[float, ...], context: Context) -> tuple[float, ...]:
    """When more than the target was missed, within the last ten intervals.

    What was missed before a change was judged, or before the plant was another, says nothing of
    what is missed since.
    """
    if _is_unsettled(context):
        return ()
    since_s, now_s = _lately_since_s(context), context.time_s
    counted = () if context.verified else before
    kept = tuple(at_s for at_s in counted if since_s < at_s < now_s)
    missed = fresh(context.observation.miss_rate) or 0.0
    return (*kept, context.time_s) if missed > context.objective.target_miss_rate else kept


def _missed(
    before: tuple[tuple[float, float], ...], settled_at_s: float, context: Context
) -> tuple[tuple[float, float], ...]:
    """What was missed in each of the last ten intervals in which nothing was turned."""
    since_s, now_s = max(settled_at_s, _lately_since_s(context)), context.time_s
    kept = tuple(each for each in before if since_s < each[0] < now_s)
    missed = fresh(context.observation.miss_rate)
    is_since = context.observation.counts_after(settled_at_s) and now_s > settled_at_s
    return kept if missed is None or not is_since else (*kept, (now_s, missed))


def _is_unsettled(context: Context) -> bool:
    """Whether the plant has just become another, or awaits what it put in force again itself."""
    awaits = any(knob.awaits for knob in context.knobs.values())
    return awaits or bool(context.observation.discontinuity)


def _lately_since_s(context: Context) -> float:
    return context.time_s - LATELY_INTERVALS * context.observation.interval_s


def _lately(memory: _Memory, context: Context) -> Lately:
    shares = [share for _, share in memory.missed]
    bad = sum(share > context.objective.target_miss_rate for share in shares)
    worst = max(shares) if bad >= TELLING_INTERVALS else None
    return Lately(len(memory.bad_at_s), worst, sum(shares), len(shares))


def _key(context: Context, step: str) -> str:
    return f"{context.diagnosis.bottleneck}/{step}"


def _recall(state: State) -> _Memory:
    """The memory of an earlier decision; a fresh one where the state is none of ours."""
    if not isinstance(state, dict):
        return _Memory()
    step_of, spent = state.get("step_of"), state.get("spent")
    factor, wanted, weighed = (
        state.get(name) for name in ("streams_factor", "wanted", "weighed_at_s")
    )
    settings, settled = state.get("settings"), state.get("settled_at_s")
    return _Memory(
        {key: each for key, each in _items(step_of) if isinstance(each, str)},
        {key: each for key, each in _items(spent) if isinstance(each, int | float)},
        factor if isinstance(factor, float) and factor > 0.0 else 1.0,
        tuple((time_s, int(nodes)) for time_s, nodes in _pairs(wanted)),
        weighed if isinstance(weighed, int | float) else None,
        tuple(_numbers(state.get("bad_at_s"))),
        settings if isinstance(settings, str) else "",
        settled if isinstance(settled, int | float) else 0.0,
        tuple(_pairs(state.get("missed"))),
    )


def _items(state: State) -> list[tuple[str, State]]:
    return list(state.items()) if isinstance(state, dict) else []


def _numbers(state: State) -> list[float]:
    numbers = state if isinstance(state, list) else []
    return [float(each) for each in numbers if isinstance(each, int | float)]


def _pairs(state: State) -> list[tuple[float, float]]:
    """Times and what was noted at each; none of it where it is not that."""
    try:
        return [(float(time_s), float(noted)) for time_s, noted in cast(list[Any], state)]
    except (TypeError, ValueError):
        return []


def _plain(memory: _Memory, headroom: Headroom, price: MissPrice, capacity: Capacity) -> State:
    plain = {name: getattr(memory, name) for name in _Memory.__dataclass_fields__}
    wanted, missed = ([list(each) for each in pairs] for pairs in (memory.wanted, memory.missed))
    lately = {"wanted": wanted, "missed": missed, "bad_at_s": list(memory.bad_at_s)}
    learned = {
        "headroom": headroom.plain(),
        "price": price.plain(),
        "capacity": capacity.plain(),
    }
    return cast(State, plain | lately | learned)

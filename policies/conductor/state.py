"""State of the conductor: steps taken and blocks missed, from one decision to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from policies.conductor.alternatives import NODES_STEP, SAVING
from policies.conductor.evidence import RecentMisses
from policies.conductor.situation import Situation
from policies.diagnosis import TOO_MUCH_FOR_A_NODE
from policies.policy import State
from policies.proposal import Verdict, Verification

RETRY_AFTER_S = 600.0
"""Seconds that a step that did not help is left alone while the evidence stays the same."""
RETRY_REFUSED_S = 60.0
"""Seconds for one that was refused: a quota is raised, a permission is given."""
RETRY_SAVING_S = 6 * 3600.0
"""Seconds for one that was only to save nodes: what it costs to find out must be rare."""
WITHOUT_SUCCESS = (Verdict.FELL_SHORT, Verdict.ROLLED_BACK, Verdict.REFUSED)
"""Verdicts that speak against the same step on the same evidence."""
RECENT_INTERVALS = 10
"""Intervals whose misses are remembered."""
TELLING_INTERVALS = 5
"""Bad intervals that show what is missed, whatever comes and goes from one to the next."""


@dataclass(frozen=True, slots=True)
class ConductorState:
    """Figures that are remembered from one decision to the next.

    `step_of` names the last step taken with each knob; `spent` until when a step is left alone that
    did not help, was undone or refused. A step's key joins the bottleneck and what was done:
    another bottleneck is other evidence. `streams_factor` is how a node compares with the model of
    the pipeline. `wanted` are the node counts of the last half lead window, or the last minute, as
    [time, nodes], the highest first; `weighed_at_s` is when other settings were last weighed.
    `bad_at_s` are the recent decisions at which more than the target was missed, and `missed` the
    shares that were, as [time, share], since `settled_at_s`, from when on the settings are those
    that `settings` has in words.
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

    @classmethod
    def recall(cls, state: State) -> ConductorState:
        """The state of an earlier decision out of its `plain`; afresh from anything else."""
        if not isinstance(state, dict):
            return cls()
        factor, wanted, weighed = (
            state.get(name) for name in ("streams_factor", "wanted", "weighed_at_s")
        )
        settings, settled = state.get("settings"), state.get("settled_at_s")
        return cls(
            {key: each for key, each in _items(state.get("step_of")) if isinstance(each, str)},
            {
                key: each
                for key, each in _items(state.get("spent"))
                if isinstance(each, int | float)
            },
            factor if isinstance(factor, float) and factor > 0.0 else 1.0,
            tuple((time_s, int(nodes)) for time_s, nodes in _pairs(wanted)),
            weighed if isinstance(weighed, int | float) else None,
            tuple(_numbers(state.get("bad_at_s"))),
            settings if isinstance(settings, str) else "",
            settled if isinstance(settled, int | float) else 0.0,
            tuple(_pairs(state.get("missed"))),
        )

    def plain(self) -> dict[str, State]:
        """All of it as plain JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        wanted, missed = ([list(each) for each in pairs] for pairs in (self.wanted, self.missed))
        recent = {"wanted": wanted, "missed": missed, "bad_at_s": list(self.bad_at_s)}
        return cast(dict[str, State], plain | recent)

    def learned(self, situation: Situation, verified: tuple[Verification, ...]) -> ConductorState:
        """Note what was measured and which steps did not help; forget those of long ago."""
        settings, settled_at_s = str(situation.settings), self.settled_at_s
        if settings != self.settings or not situation.is_settled:
            settled_at_s = situation.time_s
        return replace(
            self,
            spent=_spent(self, situation.time_s, verified),
            bad_at_s=_bad_at_s(() if verified else self.bad_at_s, situation),
            settings=settings,
            settled_at_s=settled_at_s,
            missed=_missed(self.missed, settled_at_s, situation),
        )

    def recent_misses(self, target_miss_rate: float) -> RecentMisses:
        """Misses of the last intervals, as evidence."""
        shares = [share for _, share in self.missed]
        bad = sum(share > target_miss_rate for share in shares)
        worst = max(shares) if bad >= TELLING_INTERVALS else None
        return RecentMisses(len(self.bad_at_s), worst, sum(shares), len(shares))


def _spent(
    state: ConductorState, time_s: float, verified: tuple[Verification, ...]
) -> dict[str, float]:
    """Seconds until which each step is left alone, those just judged included."""
    spent = {
        key: until_s
        for key, until_s in state.spent.items()
        if 0.0 < until_s - time_s <= RETRY_SAVING_S
    }
    for each in verified:
        key = state.step_of.get(each.knob)
        if key is not None and _without_success(each.verdict, key):
            spent[key] = time_s + _retry_after_s(each.verdict, key)
    return spent


def _without_success(verdict: Verdict, key: str) -> bool:
    """Whether a step did not help; nodes too few for the work did not fail, but call for more."""
    more_nodes = tuple(f"{each}/{NODES_STEP}" for each in TOO_MUCH_FOR_A_NODE)
    if verdict is Verdict.FELL_SHORT and key.startswith(more_nodes):
        return False
    return verdict in WITHOUT_SUCCESS


def _retry_after_s(verdict: Verdict, key: str) -> float:
    if verdict is Verdict.REFUSED:
        return RETRY_REFUSED_S
    return RETRY_SAVING_S if key.endswith(SAVING) else RETRY_AFTER_S


def _bad_at_s(before: tuple[float, ...], situation: Situation) -> tuple[float, ...]:
    """When more than the target was missed, within the last ten intervals.

    What was missed before a change was judged, or before the plant was another, says nothing of
    what is missed since.
    """
    if not situation.is_settled:
        return ()
    since_s, now_s = _recent_since_s(situation), situation.time_s
    kept = tuple(at_s for at_s in before if since_s < at_s < now_s)
    return (*kept, now_s) if situation.missed > situation.objective.target_miss_rate else kept


def _missed(
    before: tuple[tuple[float, float], ...], settled_at_s: float, situation: Situation
) -> tuple[tuple[float, float], ...]:
    """Misses of each of the last ten intervals in which nothing was turned."""
    since_s, now_s = max(settled_at_s, _recent_since_s(situation)), situation.time_s
    kept = tuple(each for each in before if since_s < each[0] < now_s)
    is_since = situation.observation.counts_after(settled_at_s) and now_s > settled_at_s
    missed = situation.miss_rate
    return kept if missed is None or not is_since else (*kept, (now_s, missed))


def _recent_since_s(situation: Situation) -> float:
    return situation.time_s - RECENT_INTERVALS * situation.observation.interval_s


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

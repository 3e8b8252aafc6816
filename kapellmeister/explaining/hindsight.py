"""Misses that the changes which a shadow only wanted would have spared, known afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scipy.stats import beta

from controller.plain_json import from_plain
from policies.observation import BlockCounts, Reading, fresh
from policies.proposal import Change, Effect, Expectation, Verdict, Verification

INTERVAL = (0.05, 0.5, 0.95)
"""Nine chances in ten that it lies between the outer two."""
JEFFREYS = 0.5


@dataclass(frozen=True, slots=True)
class ShadowTick:
    """A tick in shadow: an interval, and what was wanted at its end.

    `helpful` are the knobs that ease what held blocks up, the cheapest first.
    """

    time_s: float
    interval_s: float
    load: float | None
    blocks: BlockCounts | None
    helpful: tuple[str, ...]
    changes: tuple[Change, ...]
    readings: Mapping[str, Any] = field(default_factory=dict)

    def reading(self, name: str) -> float | None:
        """A reading by its name; None where it was not there."""
        kept = self.readings.get(name)
        return None if kept is None else fresh(from_plain(kept, Reading))

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ShadowTick:
        """Read a tick as the journal keeps it. Raises KeyError, TypeError, ValueError."""
        seen = record["observation"]
        return cls(
            time_s=from_plain(record["time_s"], float),
            interval_s=max(0.0, from_plain(seen["interval_s"], float)),
            load=fresh(from_plain(seen["load"], Reading)),
            blocks=from_plain(seen["blocks"], BlockCounts | None),
            helpful=tuple(record["diagnosis"]["helpful_knobs"]),
            changes=from_plain(record["changes"], tuple[Change, ...]),
            readings=seen["readings"],
        )


@dataclass(slots=True)
class Counterfactual:
    """A change as if it had been made, until the policy wanted that knob elsewhere.

    `wanted` counts how often, for a shadow goes on wanting what it does not get. `missed` of
    the `submitted` blocks were missed while it would have stood. Of `bad_blocks` more than the
    target was missed, for a cause that its knob eases, and `relieved` of them it would have
    spared by its promise. `added` blocks are the misses that it admits to cost, and
    `short_intervals` had a load that it would not have carried, and the setting in force would.
    `quantities` are what was measured of a promise that is not about misses.
    """

    change: Change
    first_s: float
    wanted: int = 1
    until_s: float | None = None
    submitted: int = 0
    missed: int = 0
    bad_blocks: BlockCounts = field(default_factory=BlockCounts)
    relieved: float = 0.0
    added: float = 0.0
    short_intervals: int = 0
    quantities: list[float] = field(default_factory=list)

    @property
    def effect(self) -> Effect:
        """The policy's promise."""
        return self.change.action.effect

    @property
    def promises(self) -> bool:
        """Whether it is to spare misses; else it saves something and is to do no harm."""
        return any(each.changed < each.unchanged for each in self.effect.curve)

    def spared(self, calm_miss_rate: float) -> float:
        """Misses that it would have spared had it kept its promise.

        As much as is missed while nothing holds blocks up would have been missed in any case.
        """
        curable = self.bad_blocks.missed - calm_miss_rate * self.bad_blocks.submitted
        return max(0.0, min(self.relieved, curable))

    def wrong(self) -> str | None:
        """Why it should not have been made, as is known now; None where it was right.

        None as well for one that was never due, or while nobody counted blocks.
        """
        if not self.submitted:
            return None
        if self.promises and not self.bad_blocks.missed:
            return "needless, if cheaper knobs keep their promise: they ease all that was missed"
        if self.short_intervals:
            return f"too little for the load that came in {self.short_intervals} intervals"
        return None

    def measure(self, tick: ShadowTick) -> None:
        """Note what it promises to bring down, in an interval in which it would have stood."""
        measured = tick.reading(self.effect.quantity)
        if measured is not None:
            self.quantities.append(measured)

    def add(self, tick: ShadowTick, blocks: BlockCounts, target_miss_rate: float) -> None:
        """Add such an interval, where blocks were counted."""
        expected = self.effect.at(tick.load)
        self.submitted += blocks.submitted
        self.missed += blocks.missed
        if self.effect.quantity == "miss_rate":
            self.added += max(0.0, expected.changed - expected.unchanged) * blocks.submitted
            limit = max(target_miss_rate, expected.unchanged)
            self.short_intervals += not self.promises and expected.changed > limit

    def relieve(self, tick: ShadowTick, blocks: BlockCounts) -> None:
        """Credit it with an interval in which its knob would have helped."""
        self.bad_blocks += blocks
        self.relieved += blocks.missed * (1.0 - _left(self.effect.at(tick.load)))


@dataclass(slots=True)
class Shadow:
    """All that one run in shadow wanted.

    `calm` are the blocks of the intervals in which no knob was needed. `counted` is False
    where the plant counts no blocks.
    """

    target_miss_rate: float
    wanted: list[Counterfactual] = field(default_factory=list)
    blocks: BlockCounts = field(default_factory=BlockCounts)
    calm: BlockCounts = field(default_factory=BlockCounts)
    counted: bool = False
    watched_s: float = 0.0

    def add(self, tick: ShadowTick) -> None:
        """Take the next tick."""
        self.watched_s += tick.interval_s
        standing = [each for each in self._open() if each.change.due_s <= tick.time_s]
        for each in standing:
            each.measure(tick)
        if tick.blocks is not None:
            self._count(tick, tick.blocks, standing)
        for change in tick.changes:
            self._want(change, tick.time_s)

    def spared(self, changes: Iterable[Counterfactual]) -> float:
        """Misses that these would have spared, had all kept their promise."""
        calm_miss_rate = self.calm.miss_rate or 0.0
        return sum(each.spared(calm_miss_rate) for each in changes)

    def _count(
        self, tick: ShadowTick, blocks: BlockCounts, standing: Iterable[Counterfactual]
    ) -> None:
        """Credit each miss once, to the first of the knobs that ease its cause."""
        self.counted = True
        self.blocks += blocks
        bad = (blocks.miss_rate or 0.0) > self.target_miss_rate
        if not bad:
            self.calm += blocks
        able: dict[str, Counterfactual] = {}
        for each in standing:
            each.add(tick, blocks, self.target_miss_rate)
            if each.promises:
                able[each.change.action.knob] = each
        first = next((able[knob] for knob in tick.helpful if knob in able), None)
        if bad and first is not None:
            first.relieve(tick, blocks)

    def _want(self, change: Change, time_s: float) -> None:
        knob, value = change.action.knob, change.action.value
        before = next((each for each in self._open() if each.change.action.knob == knob), None)
        if before is not None and before.change.action.value == value:
            before.wanted += 1
            return
        if before is not None:
            before.until_s = time_s
        self.wanted.append(Counterfactual(change, time_s))

    def _open(self) -> Iterator[Counterfactual]:
        return (each for each in self.wanted if each.until_s is None)


def _left(expected: Expectation) -> float:
    """The part of what is missed that is left, by the promise."""
    if expected.unchanged <= 0.0:
        return 1.0
    return min(1.0, max(0.0, expected.changed / expected.unchanged))


def shares_kept(verifications: Sequence[Verification]) -> tuple[float, ...]:
    """How far each judged change kept its promise to spare misses, from 0 to 1."""
    return tuple(share for each in verifications if (share := _share_kept(each)) is not None)


def _share_kept(verification: Verification) -> float | None:
    """None where the change promised nothing, or nobody could know what came of it."""
    expected, measured = verification.expected, verification.measured
    if expected.changed >= expected.unchanged or verification.verdict is Verdict.UNDECIDED:
        return None
    if measured is None:
        return 0.0
    promised = expected.unchanged - expected.changed
    return min(1.0, max(0.0, (expected.unchanged - measured) / promised))


def chance_kept(trials: Sequence[float]) -> tuple[float, float, float]:
    """The chance that a promise is kept, from judged changes: low, median and high.

    Quantiles of the posterior of a share under the prior of Jeffreys (Brown, Cai and DasGupta,
    Statistical Science 16, 2001): without a trial from almost never to almost always.
    """
    successes = sum(trials)
    failures = len(trials) - successes
    kept_share = beta(JEFFREYS + successes, JEFFREYS + failures)
    low, median, high = (float(kept_share.ppf(each)) for each in INTERVAL)
    return low, median, high

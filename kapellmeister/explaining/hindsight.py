"""What came after the changes that a shadow only wanted: what each of them would have spared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scipy.stats import beta

from controller.plain import from_plain
from policies.observation import BlockCounts, Reading, fresh
from policies.proposal import Change, Effect, Expectation, Verdict, Verification

INTERVAL = (0.05, 0.5, 0.95)
"""Nine chances in ten that it lies between the outer two."""
JEFFREYS = 0.5


@dataclass(frozen=True, slots=True)
class Glance:
    """What hindsight needs of one tick in shadow: an interval, and what was wanted at its end.

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
    def of(cls, record: Mapping[str, Any]) -> Glance:
        """That of a tick as the journal keeps it. Raises KeyError, TypeError, ValueError."""
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
class Standing:
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
        """What the policy promised of it."""
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

        Nor is anything known of one that was never due, or while nobody counted blocks.
        """
        if not self.submitted:
            return None
        if self.promises and not self.bad_blocks.missed:
            return "needless, if cheaper knobs keep their promise: they ease all that was missed"
        if self.short_intervals:
            return f"too little for the load that came in {self.short_intervals} intervals"
        return None

    def measure(self, glance: Glance) -> None:
        """Note what it promises to bring down, in an interval in which it would have stood."""
        measured = glance.reading(self.effect.quantity)
        if measured is not None:
            self.quantities.append(measured)

    def see(self, glance: Glance, blocks: BlockCounts, target_miss_rate: float) -> None:
        """Add such an interval, where blocks were counted."""
        expected = self.effect.at(glance.load)
        self.submitted += blocks.submitted
        self.missed += blocks.missed
        if self.effect.quantity == "miss_rate":
            self.added += max(0.0, expected.changed - expected.unchanged) * blocks.submitted
            limit = max(target_miss_rate, expected.unchanged)
            self.short_intervals += not self.promises and expected.changed > limit

    def relieve(self, glance: Glance, blocks: BlockCounts) -> None:
        """Credit it with an interval in which its knob would have helped."""
        self.bad_blocks += blocks
        self.relieved += blocks.missed * (1.0 - _left(self.effect.at(glance.load)))


@dataclass(slots=True)
class Shadow:
    """All that one run in shadow wanted.

    `calm` are the blocks of the intervals in which no knob was needed. `counted` is False
    where the plant counts no blocks.
    """

    target_miss_rate: float
    standings: list[Standing] = field(default_factory=list)
    blocks: BlockCounts = field(default_factory=BlockCounts)
    calm: BlockCounts = field(default_factory=BlockCounts)
    counted: bool = False
    watched_s: float = 0.0

    def see(self, glance: Glance) -> None:
        """Take the next tick."""
        self.watched_s += glance.interval_s
        standing = [each for each in self._open() if each.change.due_s <= glance.time_s]
        for each in standing:
            each.measure(glance)
        if glance.blocks is not None:
            self._count(glance, glance.blocks, standing)
        for change in glance.changes:
            self._want(change, glance.time_s)

    def spared(self, standings: Iterable[Standing]) -> float:
        """Misses that these would have spared, had all kept their promise."""
        calm_miss_rate = self.calm.miss_rate or 0.0
        return sum(each.spared(calm_miss_rate) for each in standings)

    def _count(self, glance: Glance, blocks: BlockCounts, standing: Iterable[Standing]) -> None:
        """What was missed is credited once: to the first of the knobs that ease its cause."""
        self.counted = True
        self.blocks += blocks
        bad = (blocks.miss_rate or 0.0) > self.target_miss_rate
        if not bad:
            self.calm += blocks
        able: dict[str, Standing] = {}
        for each in standing:
            each.see(glance, blocks, self.target_miss_rate)
            if each.promises:
                able[each.change.action.knob] = each
        first = next((able[knob] for knob in glance.helpful if knob in able), None)
        if bad and first is not None:
            first.relieve(glance, blocks)

    def _want(self, change: Change, time_s: float) -> None:
        knob, value = change.action.knob, change.action.value
        before = next((each for each in self._open() if each.change.action.knob == knob), None)
        if before is not None and before.change.action.value == value:
            before.wanted += 1
            return
        if before is not None:
            before.until_s = time_s
        self.standings.append(Standing(change, time_s))

    def _open(self) -> Iterator[Standing]:
        return (each for each in self.standings if each.until_s is None)


def _left(expected: Expectation) -> float:
    """The part of what is missed that is left, by the promise."""
    if expected.unchanged <= 0.0:
        return 1.0
    return min(1.0, max(0.0, expected.changed / expected.unchanged))


def kept(verifications: Sequence[Verification]) -> tuple[float, ...]:
    """How far each judged change kept its promise to spare misses, from 0 to 1."""
    return tuple(share for each in verifications if (share := _kept(each)) is not None)


def _kept(verification: Verification) -> float | None:
    """None where the change promised nothing, or nobody could know what came of it."""
    expected, measured = verification.expected, verification.measured
    if expected.changed >= expected.unchanged or verification.verdict is Verdict.UNDECIDED:
        return None
    if measured is None:
        return 0.0
    promised = expected.unchanged - expected.changed
    return min(1.0, max(0.0, (expected.unchanged - measured) / promised))


def keeping(trials: Sequence[float]) -> tuple[float, float, float]:
    """The chance that a promise is kept, from judged changes: low, median and high.

    Quantiles of the posterior of a share under the prior of Jeffreys (Brown, Cai and DasGupta,
    Statistical Science 16, 2001): without a trial from almost never to almost always.
    """
    successes = sum(trials)
    failures = len(trials) - successes
    kept_share = beta(JEFFREYS + successes, JEFFREYS + failures)
    low, median, high = (float(kept_share.ppf(each)) for each in INTERVAL)
    return low, median, high

"""CORK, the adaptive batching of BentoML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from policies.baselines.baseline import Baseline
from policies.baselines.choice_law import ChoiceReading
from policies.baselines.node_law import number, remembered
from policies.constants import Share
from policies.observation import fresh
from policies.policy import Context, State
from policies.proposal import Proposal

SAMPLES = 50
RESERVE = 0.95
TICK_MS = 1.0


@dataclass(frozen=True, slots=True)
class BatchLaw:
    """latency(n) = `per_item_ms` n + `fixed_ms`, as far as it is known."""

    per_item_ms: float
    fixed_ms: float

    @classmethod
    def initial(cls, latency_max_ms: float) -> BatchLaw:
        """Before anything was measured: a = min(2, T * 2 / 30), b = min(1, T / 30)."""
        return cls(min(2.0, latency_max_ms * 2.0 / 30.0), min(1.0, latency_max_ms / 30.0))

    def fitted(self, samples: Sequence[tuple[float, float]]) -> BatchLaw:
        """Least squares through (items, milliseconds); the same where all have one size."""
        count = len(samples)
        mean_n = sum(n for n, _ in samples) / count if count else 0.0
        mean_ms = sum(ms for _, ms in samples) / count if count else 0.0
        spread = sum((n - mean_n) ** 2 for n, _ in samples)
        if spread <= 1e-12:
            return self
        slope = sum((n - mean_n) * (ms - mean_ms) for n, ms in samples) / spread
        per_item_ms = max(1e-6, slope)
        return BatchLaw(per_item_ms, max(0.0, mean_ms - per_item_ms * mean_n))

    def latency_ms(self, items: int) -> float:
        """Latency of a batch of so many items, milliseconds."""
        return self.per_item_ms * items + self.fixed_ms

    def waits(self, items: int, newest_wait_ms: float, mean_wait_ms: float) -> bool:
        """Whether n more waiting is repaid: n (w_n + dt + a) <= 0.95 W, W the oldest's mean."""
        return items * (newest_wait_ms + TICK_MS + self.per_item_ms) <= RESERVE * mean_wait_ms

    def drops(
        self, items: int, oldest_wait_ms: float, latency_max_ms: float, busy: bool = False
    ) -> bool:
        """Whether the oldest item can no longer be in time. A lone one goes out late, once idle."""
        if items == 1:
            return busy and oldest_wait_ms >= latency_max_ms
        return oldest_wait_ms + self.latency_ms(items) >= latency_max_ms


@dataclass(frozen=True, slots=True)
class Cork(Baseline):
    """The largest batch whose latency, by the law fitted to what was seen, keeps the deadline.

    The dispatcher of a plant decides anew for each batch; a controller bounds it. One sample
    is the latency p50 of an interval at the batch size then in force.
    """

    reserve: Share = RESERVE

    name: ClassVar[str] = "cork"
    turns: ClassVar[frozenset[str]] = frozenset({"batch_size"})
    SWEEP: ClassVar[Mapping[str, tuple[float, ...]]] = MappingProxyType(
        {"reserve": (0.6, 0.7, 0.8, 0.9, 0.95)}
    )

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Without a latency, or a batch size to turn, nothing is done."""
        batch = ChoiceReading.of(context, "batch_size")
        latency_ms = fresh(context.observation.latency.p50_ms)
        if batch is None or latency_ms is None:
            return Proposal(reason="no latency, or no batch size to turn"), state
        saved, deadline_ms = remembered(state), context.objective.deadline_ms
        samples = [*_pairs(saved.get("samples")), (float(batch.value), latency_ms)][-SAMPLES:]
        law = _law(saved.get("law"), deadline_ms).fitted(samples)
        allowed_ms = self.reserve * deadline_ms
        fitting = [size for size in batch.values if law.latency_ms(size) <= allowed_ms]
        wanted = max(fitting, default=min(batch.values, default=batch.value))
        why = f"a batch of {wanted} takes {law.latency_ms(wanted):.2f} ms"
        return batch.propose(wanted, why), {
            "samples": [[n, ms] for n, ms in samples],
            "law": [law.per_item_ms, law.fixed_ms],
        }


def _pairs(state: State) -> list[tuple[float, float]]:
    rows = state if isinstance(state, list) else []
    pairs = [row for row in rows if isinstance(row, list) and len(row) == 2]
    return [(number(n, 0.0), number(ms, 0.0)) for n, ms in pairs]


def _law(state: State, deadline_ms: float) -> BatchLaw:
    """The law as it was last fitted; a guess before that."""
    found = _pairs([state])
    return BatchLaw(*found[0]) if found else BatchLaw.initial(deadline_ms)

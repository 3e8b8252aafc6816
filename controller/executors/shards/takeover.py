"""Shards that change hands because their worker was lost, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import NOBODY
from policies.observation import Missing, Reading, Value

NS_IN_MS = 1e6


@dataclass(frozen=True, slots=True)
class Takeover:
    """A shard of a lost worker, which a new one plays on.

    `resent` and `replayed` are blocks of streams: those that were owed and have been handed on, and
    those rendered unheard before. `failover_ms` counts from the notice of the loss until the last
    owed one was handed on. `epoch` is the change of owner.
    """

    lost: int
    heir: int
    shard: int
    epoch: int
    resent: int
    replayed: int
    failover_ms: float


@dataclass(frozen=True, slots=True)
class _Pending:
    """A shard whose new owner has yet to catch up; its counts as they were before."""

    lost: int
    noticed_ns: int
    resent: int
    replayed: int


class Takeovers:
    """Hands the shards of lost workers over, and counts what that took."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self._pending: dict[int, _Pending] = {}
        self._resent = self._replayed = 0
        self._latest_ms: float | None = None

    def orphan(self, lost: Iterable[int], in_use: Collection[int], now_ns: int) -> bool:
        """Take their shards from workers that were lost; whether they had any.

        Only of those `in_use`, which have streams, is anything owed.
        """
        shards = [(shard, each) for each in lost for shard in self._ownership.shards_of(each)]
        for shard, worker in shards:
            if shard in in_use:
                self._await_heir(shard, worker, now_ns)
            self._ownership.give(shard, NOBODY)
        return bool(shards)

    def waiting(self) -> tuple[int, ...]:
        """Shards of which blocks are owed, and that nobody has yet."""
        return tuple(each for each in self._pending if self._ownership.owner(each) == NOBODY)

    def done(self) -> tuple[Takeover, ...]:
        """The takeovers that were completed since the last call."""
        shards = [shard for shard in self._pending if self._has_caught_up(shard)]
        return tuple(self._completed(shard, self._pending.pop(shard)) for shard in shards)

    def readings(self) -> Mapping[str, Reading]:
        """Counts of the whole run, and the duration of the latest takeover."""
        latest_ms, none = self._latest_ms, Missing("no worker was lost")
        return MappingProxyType(
            {
                "workers.epoch": Value(float(self._ownership.epoch)),
                "workers.resent": Value(float(self._resent)),
                "workers.replayed": Value(float(self._replayed)),
                "workers.failover_ms": none if latest_ms is None else Value(latest_ms),
            }
        )

    def _await_heir(self, shard: int, lost: int, now_ns: int) -> None:
        resent, replayed = self._ownership.resent(shard), self._ownership.replayed(shard)
        self._pending.setdefault(shard, _Pending(lost, now_ns, resent, replayed))

    def _has_caught_up(self, shard: int) -> bool:
        return self._ownership.caught_up_ns(shard) > self._pending[shard].noticed_ns

    def _completed(self, shard: int, pending: _Pending) -> Takeover:
        ownership = self._ownership
        resent = ownership.resent(shard) - pending.resent
        replayed = ownership.replayed(shard) - pending.replayed
        took_ms = (ownership.caught_up_ns(shard) - pending.noticed_ns) / NS_IN_MS
        self._resent += resent
        self._replayed += replayed
        self._latest_ms = took_ms
        heir, epoch = ownership.owner(shard), ownership.epoch
        return Takeover(pending.lost, heir, shard, epoch, resent, replayed, took_ms)

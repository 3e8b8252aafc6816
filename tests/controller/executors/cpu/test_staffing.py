"""Who gets the shards of a pool."""

from __future__ import annotations

from controller.executors.cpu.staffing import Staffing
from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import NOBODY

SIZES = {1: 16, 2: 16, 3: 15}


class Pool:
    """Workers that are at work, and the blocks that they are through with."""

    def __init__(self, **passed: int) -> None:
        self._passed = {int(name.removeprefix("w")): block for name, block in passed.items()}

    def ready(self) -> list[int]:
        return list(self._passed)

    def call(self, worker: int) -> None:
        assert worker in self._passed

    def passed(self, worker: int) -> int:
        return self._passed[worker]


def staffing(ownership: Ownership, **passed: int) -> Staffing:
    return Staffing(Pool(**passed), ownership, lambda shard: SIZES[shard])  # type: ignore[arg-type] # a fake


def owned(*owners: int) -> Ownership:
    made = Ownership(len(owners))
    for shard, owner in enumerate(owners, start=1):
        made.begin(shard, owner, 0)
    return made


def owners(ownership: Ownership) -> list[int]:
    return [ownership.owner(shard) for shard in (1, 2, 3)]


def test_a_shard_without_a_worker_goes_to_the_one_that_stands_by() -> None:
    ownership = owned(11, NOBODY, 13)
    staffing(ownership, w11=99, w13=99, w14=99).staff((1, 2, 3), {2}, 100)
    assert owners(ownership) == [11, 14, 13]


def test_one_that_stands_by_but_stands_still_is_passed_over() -> None:
    ownership = owned(11, NOBODY, 13)
    staffing(ownership, w11=99, w13=99, w14=90).staff((1, 2, 3), {2}, 100)
    assert owners(ownership) == [11, 13, 13]


def test_where_none_stands_by_the_worker_with_fewest_streams_has_two_shards() -> None:
    ownership = owned(11, NOBODY, 13)
    staffing(ownership, w11=99, w13=99).staff((1, 2, 3), {2}, 100)
    assert owners(ownership) == [11, 13, 13]


def test_of_two_shards_one_goes_to_a_worker_that_has_none() -> None:
    ownership = owned(11, 13, 13)
    staffing(ownership, w11=99, w13=99, w15=99).staff((1, 2, 3), {2}, 100)
    assert owners(ownership) == [11, 13, 15]


def test_a_shard_without_streams_waits_for_a_worker_of_its_own() -> None:
    ownership = owned(11, 12, NOBODY)
    staffing(ownership, w11=99, w12=99).staff((1, 2, 3), (), 100)
    assert owners(ownership) == [11, 12, NOBODY]


def test_nothing_is_owed_of_a_shard_that_begins() -> None:
    ownership = owned(11, 12, NOBODY)
    staffing(ownership, w11=99, w12=99, w14=99).staff((1, 2, 3), (), 100)
    assert ownership.owner(3) == 14
    assert ownership.handed_on(3) == 99


def test_while_no_worker_is_at_work_a_shard_stays_owed() -> None:
    ownership = owned(11, NOBODY, 13)
    ownership.hand_on(2, 41)
    staffing(ownership).staff((1, 2, 3), {2}, 100)
    assert ownership.owner(2) == NOBODY
    assert ownership.handed_on(2) == 41

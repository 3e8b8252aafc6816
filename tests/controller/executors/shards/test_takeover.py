"""Shards of lost workers, and what it took others to play on with them."""

from controller.executors.shards.ownership import Ownership
from controller.executors.shards.takeover import Takeover, Takeovers
from controller.executors.stream_table import NOBODY
from policies.observation import Missing, Value

MS = 1_000_000


def two_workers() -> tuple[Ownership, Takeovers]:
    ownership = Ownership(2)
    ownership.begin(1, 11, 0)
    ownership.begin(2, 12, 0)
    return ownership, Takeovers(ownership)


def test_a_lost_worker_has_no_shard_any_more() -> None:
    ownership, takeovers = two_workers()
    assert takeovers.orphan([11], {1, 2}, 5 * MS)
    assert (ownership.owner(1), ownership.owner(2)) == (NOBODY, 12)
    assert takeovers.waiting() == (1,)
    assert not takeovers.orphan([11], {1, 2}, 5 * MS)


def test_a_takeover_is_told_once_its_heir_has_caught_up() -> None:
    ownership, takeovers = two_workers()
    takeovers.orphan([11], {1, 2}, 5 * MS)
    ownership.give(1, 13)
    assert (takeovers.waiting(), takeovers.done()) == ((), ())
    ownership.catch_up(1, resent=32, replayed=48, now_ns=12 * MS)
    expected = Takeover(11, 13, shard=1, epoch=4, resent=32, replayed=48, failover_ms=7.0)
    assert takeovers.done() == (expected,)
    assert takeovers.done() == ()


def test_an_heir_that_is_lost_too_lengthens_the_takeover() -> None:
    ownership, takeovers = two_workers()
    takeovers.orphan([11], {1, 2}, 5 * MS)
    ownership.give(1, 13)
    takeovers.orphan([13], {1, 2}, 8 * MS)
    ownership.give(1, 12)
    ownership.catch_up(1, resent=16, replayed=48, now_ns=15 * MS)
    (told,) = takeovers.done()
    assert (told.lost, told.heir, told.failover_ms) == (11, 12, 10.0)


def test_nothing_is_owed_of_a_shard_without_streams() -> None:
    ownership, takeovers = two_workers()
    assert takeovers.orphan([11], {2}, 5 * MS)
    ownership.begin(1, 13, 90)
    ownership.catch_up(1, resent=0, replayed=0, now_ns=900 * MS)
    assert takeovers.done() == ()


def test_readings_count_the_whole_run() -> None:
    ownership, takeovers = two_workers()
    assert takeovers.readings()["workers.failover_ms"] == Missing("no worker was lost")
    for worker, heir in ((11, 13), (13, 14)):
        takeovers.orphan([worker], {1, 2}, 5 * MS)
        ownership.give(1, heir)
        ownership.catch_up(1, resent=16, replayed=24, now_ns=9 * MS)
        takeovers.done()
    readings = takeovers.readings()
    names = "epoch", "resent", "replayed", "failover_ms"
    told = [readings[f"workers.{name}"] for name in names]
    assert told == [Value(6.0), Value(32.0), Value(48.0), Value(4.0)]

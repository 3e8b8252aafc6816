"""Every block is on time, late, concealed or lost."""

import numpy as np
import pytest

from controller.executors.batch import BATCH, FinishedBatches
from controller.executors.stream_table import NOBODY, Assignment
from controller.executors.timetable import Timetable
from controller.pipeline.block_outcomes import Playout
from policies.observation import BlockCounts, Value

MS = 1_000_000
TIMETABLE = Timetable(start_ns=0, period_ns=5.0 * MS, deadline_ns=5 * MS, buffer_ns=5 * MS)
LONG_AFTER_NS = 10_000 * MS


def assignment(*workers: int, from_block: int = 0, version: int = 1) -> Assignment:
    return Assignment(version, from_block, 2, np.array(workers, np.int16))


def playout_of(*workers: int, heard: list[np.ndarray] | None = None) -> Playout:
    playout = Playout(TIMETABLE, len(workers), 4, None if heard is None else heard.append)
    playout.assign(assignment(*workers))
    return playout


def finish(
    playout: Playout,
    shard: int,
    block: int,
    finish_ms: float,
    first: int = 0,
    count: int = 2,
    sample: float = 1.0,
) -> None:
    batch = np.zeros(1, BATCH)
    batch["block"], batch["shard"], batch["first"], batch["count"] = block, shard, first, count
    batch["finish_ns"] = TIMETABLE.captured_ns(block) + int(finish_ms * MS)
    playout.collect(FinishedBatches(7, batch, np.full((1, 2, 4), sample, np.float32)))


def test_a_block_finished_by_its_deadline_is_on_time() -> None:
    playout = playout_of(1, 1)
    finish(playout, 1, 0, 5.0)
    playout.settle(LONG_AFTER_NS, 1)
    assert playout.counts == BlockCounts(on_time=2)


def test_a_block_finished_before_play_out_is_late() -> None:
    playout = playout_of(1, 1)
    finish(playout, 1, 0, 9.9)
    playout.settle(LONG_AFTER_NS, 1)
    assert playout.counts == BlockCounts(late=2)


def test_two_absent_blocks_are_concealed_and_the_third_is_lost() -> None:
    playout = playout_of(1)
    playout.settle(LONG_AFTER_NS, 3)
    assert playout.counts == BlockCounts(concealed=2, lost=1)


def test_a_block_finished_after_play_out_is_absent() -> None:
    playout = playout_of(1, 1)
    finish(playout, 1, 0, 10.1)
    playout.settle(LONG_AFTER_NS, 1)
    assert playout.counts == BlockCounts(concealed=2)


def test_streams_of_an_unfinished_batch_are_missed_and_the_others_are_not() -> None:
    playout = playout_of(1, 1, 1, 1)
    finish(playout, 1, 0, 2.0, first=0, count=2)
    playout.settle(LONG_AFTER_NS, 1)
    assert playout.counts == BlockCounts(on_time=2, concealed=2)


def test_a_block_that_may_still_be_reported_is_not_settled() -> None:
    playout = playout_of(1)
    just_played_ns = TIMETABLE.played_ns(0) + 1
    assert playout.settle(just_played_ns, 1) == []
    finish(playout, 1, 0, 1.0, count=1)
    assert [settled.block for settled in playout.settle(just_played_ns, 1)] == [0]


def test_the_counts_add_up_for_every_stream_at_all_times() -> None:
    random = np.random.default_rng(1)
    playout = playout_of(1, 1, 2, NOBODY)
    for block in range(200):
        for worker, count in ((1, 2), (2, 1)):
            if random.random() < 0.8:
                finish(playout, worker, block, random.exponential(4.0), count=count)
        playout.settle(LONG_AFTER_NS, block + 1)
        submitted, outcomes = playout.submitted_and_outcomes()
        assert (submitted == outcomes.sum(axis=0)).all()
    assert submitted.tolist() == [200, 200, 200, 0]


def test_a_new_assignment_counts_from_the_block_it_names() -> None:
    playout = playout_of(1, NOBODY)
    playout.assign(assignment(1, 2, from_block=2, version=2))
    playout.settle(LONG_AFTER_NS, 4)
    assert playout.submitted_and_outcomes()[0].tolist() == [4, 2]


def test_a_batch_of_an_assignment_that_came_too_late_counts_for_nobody() -> None:
    playout = playout_of(1, NOBODY)
    finish(playout, 1, 0, 1.0, first=0, count=2)
    playout.settle(LONG_AFTER_NS, 1)
    assert playout.counts == BlockCounts(concealed=1)


def test_a_listener_hears_a_fading_repetition_and_then_silence() -> None:
    heard: list[np.ndarray] = []
    playout = playout_of(1, 1, heard=heard)
    finish(playout, 1, 0, 1.0)
    playout.settle(LONG_AFTER_NS, 4)
    assert [float(block.max()) for block in heard] == [1.0, 0.5, 0.25, 0.0]


def test_of_a_block_that_two_workers_have_handed_on_the_first_counts() -> None:
    heard: list[np.ndarray] = []
    playout = playout_of(1, 1, heard=heard)
    finish(playout, 1, 0, 4.0)
    finish(playout, 1, 0, 9.0)
    playout.settle(LONG_AFTER_NS, 1)
    assert playout.counts == BlockCounts(on_time=2)
    assert float(heard[0].max()) == 1.0
    assert playout.readings() == {"workers.duplicates": Value(2.0)}


def test_a_block_that_is_sent_again_before_play_out_is_late() -> None:
    playout = playout_of(1, 1)
    finish(playout, 1, 0, 1.0, first=0, count=1)
    finish(playout, 1, 0, 8.0, first=0, count=1)
    finish(playout, 1, 0, 8.5, first=1, count=1)
    playout.settle(LONG_AFTER_NS, 1)
    assert playout.counts == BlockCounts(on_time=1, late=1)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_shards_are_summed_in_their_order_whatever_comes_first(order: tuple[int, ...]) -> None:
    heard: list[np.ndarray] = []
    playout = playout_of(1, 2, 3, heard=heard)
    samples = {1: 1.0, 2: -1.0, 3: 1e-9}
    for shard in order:
        finish(playout, shard, 0, 1.0, count=1, sample=samples[shard])
    playout.settle(LONG_AFTER_NS, 1)
    assert float(heard[0].max()) == np.float32(1e-9)


def test_latency_of_an_absent_block_is_counted_until_its_play_out() -> None:
    playout = playout_of(1)
    settled = playout.settle(LONG_AFTER_NS, 1)
    assert settled[0].latency_ns.tolist() == [10 * MS]


@pytest.mark.parametrize("block", [0, 7, 1000])
def test_a_block_is_due_one_period_after_its_capture(block: int) -> None:
    assert TIMETABLE.due_ns(block) - TIMETABLE.captured_ns(block) == 5 * MS

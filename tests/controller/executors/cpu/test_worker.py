"""A worker's share of each block."""

from types import SimpleNamespace

import numpy as np
import pytest

from controller.executors.cpu import worker as worker_module
from controller.executors.cpu.ring import Ring
from controller.executors.cpu.worker import Worker
from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import NOBODY, StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import Workload

PERIOD = 4
NEVER_NS = 10**18
"""Nanoseconds after which a block is played that no test waits for."""
TIMETABLE = Timetable(start_ns=0, period_ns=1000.0, deadline_ns=1000, buffer_ns=NEVER_NS)


class Ramp:
    """Input whose every sample tells its slot and block: 1000 * slot + block."""

    def gather(self, block_index: int, slots: np.ndarray, out: np.ndarray) -> None:
        out[:] = (1000 * slots + block_index)[:, None]


class Delay:
    """Plays each stream three blocks late: a memory that shows whether a stream was warmed."""

    memory_blocks = 3

    def __init__(self, slots: int) -> None:
        self.past = np.zeros((slots, 3, PERIOD), np.float32)
        self.batches: list[int] = []

    def reset(self, slots: np.ndarray) -> None:
        self.past[slots] = 0.0

    def process(self, blocks: np.ndarray, slots: np.ndarray) -> np.ndarray:
        self.batches.append(len(slots))
        delayed = self.past[slots, 0].sum(axis=0)
        self.past[slots] = np.concatenate([self.past[slots, 1:], blocks[:, None]], axis=1)
        return np.stack([delayed, delayed])


class Bench:
    """Workers on one table, as the executor would start them."""

    def __init__(self, slots: int = 4, batch_size: int = 64) -> None:
        self.slots = slots
        self.table = StreamTable(slots, batch_size)
        self.ownership = Ownership(2)
        self.rings: dict[int, Ring] = {}
        self.workloads: dict[int, Delay] = {}

    def worker(self, number: int, entries: int = 64) -> Worker:
        self.rings[number] = Ring(entries, PERIOD)
        self.ownership.begin(number, number, 0)
        self.workloads[number] = Delay(self.slots)
        workload: Workload = self.workloads[number]  # type: ignore[assignment] # a fake without a constructor's shape
        return Worker(
            number,
            workload,
            Ramp(),
            self.table,
            self.ownership,
            self.rings[number],
            TIMETABLE,
            PERIOD,
            self.slots,
        )

    def records(self, number: int) -> list[tuple[int, int]]:
        """(block, shard) of every batch that a worker has handed on since the last call."""
        return [(int(each["block"]), int(each["shard"])) for each in self.rings[number].read()[0]]

    def heard(self, *numbers: int) -> dict[int, float]:
        total: dict[int, float] = {}
        for number in numbers:
            batches, buses = self.rings[number].read()
            for batch, bus in zip(batches, buses, strict=True):
                block = int(batch["block"])
                total[block] = total.get(block, 0.0) + float(bus[0, 0])
        return total


def shards(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int16)


def test_every_stream_of_a_worker_is_in_one_batch_when_it_fits() -> None:
    bench = Bench()
    bench.table.publish(0, 64, shards(1, NOBODY, 1, 1))
    bench.worker(1).render(0)
    batches, _ = bench.rings[1].read()
    assert batches[["block", "first", "count"]].tolist() == [(0, 0, 3)]


def test_the_batch_size_splits_a_block_into_kernel_calls() -> None:
    bench = Bench(batch_size=2)
    bench.table.publish(0, 2, shards(1, 1, 1, 1))
    bench.worker(1).render(0)
    batches, _ = bench.rings[1].read()
    assert batches[["first", "count"]].tolist() == [(0, 2), (2, 2)]


def test_a_second_batch_is_ready_when_the_first_is_finished() -> None:
    bench = Bench(batch_size=2)
    bench.table.publish(0, 2, shards(1, 1, 1, 1))
    bench.worker(1).render(0)
    batches, _ = bench.rings[1].read()
    assert batches["ready_ns"][1] == batches["finish_ns"][0]


@pytest.mark.parametrize("announced_at", [2, 5, 9])
def test_a_stream_that_moves_sounds_as_if_it_had_never_moved(announced_at: int) -> None:
    bench = Bench(slots=2)
    bench.table.publish(0, 64, shards(1, 1))
    first, second = bench.worker(1), bench.worker(2)
    for block in range(20):
        if block == announced_at:
            bench.table.publish(10, 64, shards(1, 2))
        first.render(block)
        second.render(block)
    heard = bench.heard(1, 2)
    assert [heard[block] for block in range(3, 20)] == [2 * (b - 3) + 1000 for b in range(3, 20)]


def test_every_block_of_every_stream_is_rendered_once_across_a_move() -> None:
    bench = Bench(slots=4)
    bench.table.publish(0, 64, shards(1, 1, 1, 1))
    first, second = bench.worker(1), bench.worker(2)
    for block in range(10):
        if block == 2:
            bench.table.publish(6, 64, shards(1, 2, 1, 2))
        first.render(block)
        second.render(block)
    counts = dict.fromkeys(range(10), 0)
    for number in (1, 2):
        for batch in bench.rings[number].read()[0]:
            counts[int(batch["block"])] += int(batch["count"])
    assert set(counts.values()) == {4}


class TwoShards(Bench):
    """A stream and a worker for each of two shards; the first worker may stand still."""

    def __init__(self) -> None:
        super().__init__(slots=2)
        self.table.publish(0, 64, shards(1, 2))
        self.first, self.second = self.worker(1), self.worker(2)

    def play(self, blocks: range, *, first_stands_still: bool = False) -> None:
        for block in blocks:
            if not first_stands_still:
                self.first.render(block)
            self.second.render(block)


def test_a_shard_that_changes_hands_sounds_as_if_it_had_never_moved() -> None:
    bench = TwoShards()
    bench.play(range(8))
    bench.play(range(8, 11), first_stands_still=True)
    bench.ownership.give(1, 2)
    bench.play(range(11, 20), first_stands_still=True)
    heard = bench.heard(1, 2)
    assert [heard[block] for block in range(3, 20)] == [2 * (b - 3) + 1000 for b in range(3, 20)]


def test_who_takes_over_replays_the_memory_and_hands_on_what_is_owed() -> None:
    bench = TwoShards()
    bench.play(range(8))
    bench.play(range(8, 10), first_stands_still=True)
    bench.records(2)
    bench.ownership.give(1, 2)
    bench.second.render(10)
    assert bench.records(2) == [(8, 1), (9, 1), (10, 1), (10, 2)]
    assert (bench.ownership.replayed(1), bench.ownership.resent(1)) == (3, 2)


def test_who_has_lost_a_shard_hands_on_no_more_of_it() -> None:
    bench = TwoShards()
    bench.play(range(8))
    bench.ownership.give(1, 2)
    bench.records(1)
    bench.first.render(8)
    assert bench.records(1) == []


def test_blocks_that_were_played_are_owed_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = TwoShards()
    bench.play(range(8))
    bench.play(range(8, 20), first_stands_still=True)
    bench.records(2)
    bench.ownership.give(1, 2)
    now_ns = TIMETABLE.played_ns(17)
    clock = SimpleNamespace(monotonic_ns=lambda: now_ns, thread_time_ns=lambda: 0)
    monkeypatch.setattr(worker_module, "time", clock)
    bench.second.render(20)
    assert bench.records(2) == [(18, 1), (19, 1), (20, 1), (20, 2)]


def test_a_worker_that_lags_goes_on_with_a_shard_where_it_stands_itself() -> None:
    bench = TwoShards()
    bench.play(range(8))
    bench.first.render(8)
    bench.first.render(9)
    bench.records(2)
    bench.ownership.give(1, 2)
    bench.second.render(8)
    assert bench.records(2) == [(8, 1), (8, 2)]


def test_streams_that_were_to_join_are_warm_after_a_shard_has_changed_hands() -> None:
    bench = Bench(slots=3)
    bench.table.publish(0, 64, shards(1, 2, 1))
    first, second = bench.worker(1), bench.worker(2)
    for block in range(8):
        first.render(block)
        second.render(block)
    bench.table.publish(12, 64, shards(1, 2, 2))
    for block in range(8, 11):
        first.render(block)
        second.render(block)
    bench.ownership.give(1, 2)
    for block in range(11, 20):
        second.render(block)
    heard = bench.heard(1, 2)
    assert [heard[block] for block in range(3, 20)] == [3 * (b - 3) + 3000 for b in range(3, 20)]


def test_an_assignment_that_came_into_force_while_a_shard_was_owed_is_kept() -> None:
    bench = Bench(slots=3)
    bench.table.publish(0, 64, shards(1, 2, 1))
    first, second = bench.worker(1), bench.worker(2)
    for block in range(8):
        first.render(block)
        second.render(block)
    bench.table.publish(12, 64, shards(1, 2, 2))
    for block in range(8, 15):
        if block < 10:
            first.render(block)
        second.render(block)
    bench.ownership.give(1, 2)
    for block in range(15, 20):
        second.render(block)
    heard = bench.heard(1, 2)
    assert [heard[block] for block in range(3, 20)] == [3 * (b - 3) + 3000 for b in range(3, 20)]


def test_who_has_no_streams_takes_a_shard_over_before_the_next_block_is_captured() -> None:
    bench = Bench(slots=1)
    bench.table.publish(0, 64, shards(1))
    first, second = bench.worker(1), bench.worker(2)
    for block in range(8):
        first.render(block)
        second.render(block)
    second.render(8)
    assert second._share.is_idle
    bench.ownership.give(1, 2)
    second._share.change_over(9)
    assert not second._share.is_idle
    assert bench.records(2) == [(8, 1)]


def test_a_ring_that_nobody_empties_takes_no_more() -> None:
    bench = Bench()
    bench.table.publish(0, 64, shards(1, 1, 1, 1))
    worker = bench.worker(1, entries=3)
    for block in range(5):
        worker.render(block)
    assert bench.rings[1].read()[0]["block"].tolist() == [0, 1, 2]


def test_a_recycled_ring_forgets_its_last_writer() -> None:
    bench = Bench()
    bench.table.publish(0, 64, shards(1, 1, 1, 1))
    bench.worker(1).render(0)
    ring = bench.rings[1]
    ring.open()
    ring.recycle()
    assert not ring.is_open
    assert len(ring.read()[0]) == 0

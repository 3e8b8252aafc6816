"""A worker's share of each block."""

import numpy as np
import pytest

from controller.executors.cpu.ring import Ring
from controller.executors.cpu.worker import Worker
from controller.executors.stream_table import NOBODY, StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import Workload

PERIOD = 4
TIMETABLE = Timetable(start_ns=0, period_ns=1000.0, deadline_ns=1000, buffer_ns=1000)


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
        self.rings: dict[int, Ring] = {}
        self.workloads: dict[int, Delay] = {}

    def worker(self, number: int, entries: int = 64) -> Worker:
        self.rings[number] = Ring(entries, PERIOD)
        self.workloads[number] = Delay(self.slots)
        workload: Workload = self.workloads[number]  # type: ignore[assignment] # a fake without a constructor's shape
        return Worker(
            number,
            workload,
            Ramp(),
            self.table,
            self.rings[number],
            TIMETABLE,
            PERIOD,
            self.slots,
        )

    def heard(self, *numbers: int) -> dict[int, float]:
        total: dict[int, float] = {}
        for number in numbers:
            batches, buses = self.rings[number].read()
            for batch, bus in zip(batches, buses, strict=True):
                block = int(batch["block"])
                total[block] = total.get(block, 0.0) + float(bus[0, 0])
        return total


def workers(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int16)


def test_every_stream_of_a_worker_is_in_one_batch_when_it_fits() -> None:
    bench = Bench()
    bench.table.publish(0, 64, workers(1, NOBODY, 1, 1))
    bench.worker(1).render(0)
    batches, _ = bench.rings[1].read()
    assert batches[["block", "first", "count"]].tolist() == [(0, 0, 3)]


def test_the_batch_size_splits_a_block_into_kernel_calls() -> None:
    bench = Bench(batch_size=2)
    bench.table.publish(0, 2, workers(1, 1, 1, 1))
    bench.worker(1).render(0)
    batches, _ = bench.rings[1].read()
    assert batches[["first", "count"]].tolist() == [(0, 2), (2, 2)]


def test_a_second_batch_is_ready_when_the_first_is_finished() -> None:
    bench = Bench(batch_size=2)
    bench.table.publish(0, 2, workers(1, 1, 1, 1))
    bench.worker(1).render(0)
    batches, _ = bench.rings[1].read()
    assert batches["ready_ns"][1] == batches["finish_ns"][0]


@pytest.mark.parametrize("announced_at", [2, 5, 9])
def test_a_stream_that_moves_sounds_as_if_it_had_never_moved(announced_at: int) -> None:
    bench = Bench(slots=2)
    bench.table.publish(0, 64, workers(1, 1))
    first, second = bench.worker(1), bench.worker(2)
    for block in range(20):
        if block == announced_at:
            bench.table.publish(10, 64, workers(1, 2))
        first.render(block)
        second.render(block)
    heard = bench.heard(1, 2)
    assert [heard[block] for block in range(3, 20)] == [2 * (b - 3) + 1000 for b in range(3, 20)]


def test_every_block_of_every_stream_is_rendered_once_across_a_move() -> None:
    bench = Bench(slots=4)
    bench.table.publish(0, 64, workers(1, 1, 1, 1))
    first, second = bench.worker(1), bench.worker(2)
    for block in range(10):
        if block == 2:
            bench.table.publish(6, 64, workers(1, 2, 1, 2))
        first.render(block)
        second.render(block)
    counts = dict.fromkeys(range(10), 0)
    for number in (1, 2):
        for batch in bench.rings[number].read()[0]:
            counts[int(batch["block"])] += int(batch["count"])
    assert set(counts.values()) == {4}


def test_a_ring_that_nobody_empties_takes_no_more() -> None:
    bench = Bench()
    bench.table.publish(0, 64, workers(1, 1, 1, 1))
    worker = bench.worker(1, entries=3)
    for block in range(5):
        worker.render(block)
    assert bench.rings[1].read()[0]["block"].tolist() == [0, 1, 2]


def test_a_recycled_ring_forgets_its_last_writer() -> None:
    bench = Bench()
    bench.table.publish(0, 64, workers(1, 1, 1, 1))
    bench.worker(1).render(0)
    ring = bench.rings[1]
    ring.open()
    ring.recycle()
    assert not ring.is_open
    assert len(ring.read()[0]) == 0

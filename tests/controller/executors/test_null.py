"""Silence at a stated service time."""

from __future__ import annotations

import numpy as np
import pytest

from controller.errors import PlugInError
from controller.executors.executor import ExecutorSettings, Task, make_executor
from controller.executors.null import NullExecutor
from controller.executors.timetable import Timetable
from controller.workloads.workload import WorkloadSettings

MS = 1_000_000
TIMETABLE = Timetable(start_ns=0, period_ns=5.0 * MS, deadline_ns=5 * MS, buffer_ns=5 * MS)


class Clock:
    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Silence:
    def gather(self, block_index: int, slots: np.ndarray, out: np.ndarray) -> None:
        out[:] = 0.0


def settings(**knobs: int) -> ExecutorSettings:
    return ExecutorSettings("hrtf", WorkloadSettings(48_000, 256, 16), Silence(), knobs)


def played(service_ms: float, until_ms: int, **knobs: int) -> list[tuple[int, int, float, float]]:
    """(worker, block, start, finish in ms after capture) of every batch of 16 streams."""
    clock = Clock()
    executor = NullExecutor(settings(**knobs), service_ms, clock)
    executor.start(TIMETABLE)
    for slot in range(16):
        executor.schedule_task(Task("audio", "stream", slot=slot))
    executor.advance()
    clock.now_ns = until_ms * MS
    return [
        (
            finished.worker,
            int(batch["block"]),
            float(batch["start_ns"] - batch["captured_ns"]) / MS,
            float(batch["finish_ns"] - batch["captured_ns"]) / MS,
        )
        for finished in executor.read()
        for batch in finished.batches
    ]


def test_each_batch_takes_the_stated_time() -> None:
    assert played(2.0, 23) == [(1, 2, 0.0, 2.0), (1, 3, 0.0, 2.0)]


def test_batches_of_a_block_follow_each_other() -> None:
    assert played(1.0, 18, batch_size=8) == [(1, 2, 0.0, 1.0), (1, 2, 1.0, 2.0)]


def test_workers_serve_beside_each_other() -> None:
    assert played(1.0, 18, nodes=2) == [(1, 2, 0.0, 1.0), (2, 2, 0.0, 1.0)]


def test_a_worker_that_has_too_much_to_do_gives_up_blocks_that_were_played() -> None:
    blocks = [block for _, block, _, _ in played(10.0, 95)]
    assert blocks == sorted(set(blocks))
    assert len(blocks) == 8


def test_a_name_may_give_the_service_time() -> None:
    made = make_executor("null:service_ms=2", settings())
    assert made.readings()["null.service_ms"].value == 2.0  # type: ignore[union-attr] # a Value


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nosuch", "executor nosuch: no such name; known: cpu, cuda, emulated, null"),
        ("null:service_ms=-1", "service_ms must be at least 0"),
        ("cpu:cores=2", "has no constant 'cores'"),
    ],
)
def test_an_executor_that_cannot_be_is_refused_in_one_line(name: str, why: str) -> None:
    with pytest.raises(PlugInError, match=why) as refusal:
        make_executor(name, settings())
    assert "\n" not in str(refusal.value)


def test_an_executor_of_a_file_that_lacks_a_method_is_refused(tmp_path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    def __init__(self, settings): pass\n")
    with pytest.raises(PlugInError, match="has no name and no table and no is_ready"):
        make_executor(f"{file}:Mine", settings())


def test_an_executor_that_breaks_in_its_constructor_is_refused(tmp_path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    def __init__(self, settings): settings.nothing\n")
    with pytest.raises(PlugInError, match="cannot be made: AttributeError"):
        make_executor(f"{file}:Mine", settings())

"""Who renders which stream."""

import numpy as np
import pytest

from controller.errors import ExecutorError
from controller.executors.balancer import Balancer
from controller.executors.executor import Placement, Task
from controller.executors.stream_table import NOBODY, StreamTable


def balancer(*workers_of_streams: int) -> Balancer:
    made = Balancer("test", StreamTable(8, 64))
    for slot, worker in enumerate(workers_of_streams):
        made.place(Task("audio", "stream", slot=slot), [worker])
    return made


def test_a_stream_goes_to_the_worker_with_the_fewest() -> None:
    made = balancer(1, 1, 2)
    assert made.place(Task("audio", "stream", slot=3), [1, 2]) == Placement(2, None)


def test_streams_of_a_worker_that_is_gone_are_shared_by_the_others() -> None:
    made = balancer(1, 1, 2, 2)
    made.balance([2, 3])
    announced = made.announce(10, 64)
    assert announced is not None
    assert announced.shards[:4].tolist() == [3, 3, 2, 2]


def test_no_more_streams_move_than_bring_the_loads_within_one() -> None:
    made = balancer(1, 1, 1, 1, 1)
    made.balance([1, 2])
    announced = made.announce(10, 64)
    assert announced is not None
    assert announced.shards[:5].tolist() == [1, 1, 1, 2, 2]


def test_what_is_in_force_already_is_not_announced() -> None:
    made = balancer(1)
    assert made.announce(10, 64) is not None
    assert made.announce(20, 64) is None
    assert made.announce(20, 8) is not None


def test_an_announcement_is_pending_until_after_the_block_that_it_names() -> None:
    made = balancer(1)
    assert not made.is_pending(0)
    made.announce(10, 64)
    assert [made.is_pending(block) for block in (9, 10, 11)] == [True, True, False]


def test_a_worker_is_in_use_until_its_last_stream_has_moved() -> None:
    made = balancer(1)
    made.announce(10, 64)
    made.balance([2])
    assert made.in_use() == {NOBODY, 1, 2}
    made.announce(20, 64)
    assert made.in_use() == {NOBODY, 2}


@pytest.mark.parametrize("slot", [None, -1, 8])
def test_a_stream_without_a_slot_that_exists_is_refused(slot: int | None) -> None:
    with pytest.raises(ExecutorError, match=r"executor test: .*; give a slot below 8"):
        balancer().place(Task("audio", "stream", slot=slot), [1])


def test_a_stream_that_no_worker_takes_is_refused() -> None:
    with pytest.raises(ExecutorError, match="wait until the executor is ready"):
        balancer().place(Task("audio", "stream", slot=0), [])


def test_a_released_slot_is_nobodys() -> None:
    made = balancer(1, 1)
    made.release(0)
    announced = made.announce(10, 64)
    assert announced is not None
    assert np.flatnonzero(announced.shards != NOBODY).tolist() == [1]

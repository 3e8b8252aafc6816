"""Which streams are in which shard at a block."""

import numpy as np
import pytest

from controller.executors.stream_table import StreamTable


def table() -> StreamTable:
    made = StreamTable(1, 64)
    for version in range(1, 6):
        made.publish(10 * version, 64, np.array([version], np.int16))
    return made


@pytest.mark.parametrize(("block", "shard"), [(99, 5), (50, 5), (49, 4), (40, 4), (39, 3), (20, 2)])
def test_what_was_in_force_is_known_for_a_while(block: int, shard: int) -> None:
    assert table().at(block).shards.tolist() == [shard]


def test_of_blocks_long_past_the_oldest_that_is_kept_is_told() -> None:
    assert table().at(5).shards.tolist() == [2]


def test_before_anything_is_announced_no_slot_is_in_use() -> None:
    assert StreamTable(2, 64).at(7).live.tolist() == []

"""Where the parts of a batch lie, and which graph renders it."""

import pytest

from controller.executors.gpu.batches.layout import BatchLayout, bucket
from controller.executors.gpu.batches.staging import pieces


@pytest.mark.parametrize(
    ("streams", "rows"), [(1, 8), (8, 8), (9, 16), (64, 64), (65, 128), (4096, 4096)]
)
def test_a_batch_is_rendered_by_the_next_power_of_two(streams, rows):
    assert bucket(streams) == rows


def test_parts_follow_each_other_aligned():
    layout = BatchLayout(8, 100)
    assert (layout.states, layout.responses, layout.sound) == (256, 512, 768)
    assert layout.size_bytes == 768 + 8 * 400


def test_a_piece_needs_the_rows_that_begin_in_it():
    layout = BatchLayout(8, 100)
    assert [layout.rows_within(end) for end in (0, 768, 769, 1168, 1169, 99_999)] == [
        0,
        0,
        1,
        1,
        2,
        8,
    ]


def test_the_first_piece_holds_the_table_and_all_together_cover_the_batch():
    assert list(pieces(1000, 300, 400)) == [(0, 400), (400, 700), (700, 1000)]
    assert list(pieces(100, 300, 400)) == [(0, 100)]

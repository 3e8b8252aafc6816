"""The board of a device's worker as readings."""

import math

from controller.executors.gpu.board import Board
from controller.executors.gpu.readings import BoardReadings
from policies.observation import Missing, Value


def test_levels_are_told_as_they_are_and_counts_as_rates():
    board, now = Board(), [10.0]
    readings = BoardReadings(board, lambda: now[0])
    board.write(arena_bytes=4096, in_bytes=100, busy_ns=0)
    first = readings.read(is_at_work=True)
    assert first["gpu.arena_bytes"] == Value(4096.0)
    assert first["gpu.in_bytes_per_s"] == Missing("first reading")
    now[0] = 12.0
    board.write(in_bytes=700, busy_ns=500_000_000, transfer_ns=100_000_000)
    second = readings.read(is_at_work=True)
    assert second["gpu.in_bytes_per_s"] == Value(300.0)
    assert second["gpu.busy_share"] == Value(0.25)
    assert second["gpu.transfer_share"] == Value(0.2)


def test_what_did_not_happen_has_no_share():
    board = Board()
    readings = BoardReadings(board)
    readings.read(is_at_work=True)
    told = readings.read(is_at_work=True)
    assert told["gpu.slab_hit_share"] == Missing("there was none in this interval")


def test_a_level_that_there_is_not_yet_is_missing():
    board = Board()
    board.write(compute_ms=math.nan)
    told = BoardReadings(board).read(is_at_work=True)
    assert told["gpu.compute_ms"] == Missing("there is none yet")


def test_all_is_missing_while_no_worker_is_at_work_and_counts_begin_anew_with_the_next():
    board = Board()
    readings = BoardReadings(board)
    board.write(in_bytes=900)
    readings.read(is_at_work=True)
    gone = readings.read(is_at_work=False)
    assert set(gone.values()) == {Missing("the worker of the device is not at work")}
    board.clear()
    assert readings.read(is_at_work=True)["gpu.in_bytes_per_s"] == Missing("first reading")


def test_what_is_wanted_of_a_worker_is_wanted_of_the_next():
    board = Board()
    board.write(block_bytes_wanted=65_536, arena_bytes=10)
    board.clear()
    assert board.count("block_bytes_wanted") == 65_536
    assert board.count("arena_bytes") == 0

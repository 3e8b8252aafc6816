"""Who renders which stream where workers differ in what they can carry."""

import numpy as np

from controller.executors.gpu.placement import YIELDED, Room, placed
from controller.executors.stream_table import NOBODY

GPU, CPU_A, CPU_B = 7, 2, 3


def workers(*numbers):
    return np.array(numbers, np.int16)


def test_the_device_is_filled_before_the_processors():
    rooms = [Room(GPU, 2), Room(CPU_A, 1), Room(CPU_B, 1)]
    assert placed(workers(0, 0, 0, 0), rooms).tolist() == [GPU, GPU, CPU_A, CPU_B]


def test_what_nobody_can_carry_has_yielded_the_highest_slots_first():
    rooms = [Room(GPU, 1), Room(CPU_A, 1)]
    assert placed(workers(GPU, CPU_A, 0, 0), rooms).tolist() == [GPU, CPU_A, YIELDED, YIELDED]


def test_streams_of_a_device_that_is_gone_go_on_at_the_processors():
    rooms = [Room(CPU_A, 2), Room(CPU_B, 1)]
    before = workers(GPU, GPU, NOBODY, GPU, GPU)
    assert placed(before, rooms).tolist() == [CPU_A, CPU_A, NOBODY, CPU_B, YIELDED]


def test_streams_stay_where_they_are_while_there_is_room():
    rooms = [Room(GPU, 3), Room(CPU_A, 4)]
    assert placed(workers(GPU, NOBODY, GPU), rooms).tolist() == [GPU, NOBODY, GPU]


def test_those_that_have_yielded_come_before_those_that_play_on_a_processor():
    rooms = [Room(GPU, 1), Room(CPU_A, 1)]
    assert placed(workers(CPU_A, YIELDED), rooms).tolist() == [CPU_A, GPU]


def test_a_device_with_less_room_than_before_hands_its_highest_slots_over():
    rooms = [Room(GPU, 1), Room(CPU_A, 4)]
    assert placed(workers(GPU, GPU, GPU), rooms).tolist() == [GPU, CPU_A, CPU_A]


def test_a_stream_on_a_processor_returns_once_the_device_has_room():
    rooms = [Room(GPU, 3), Room(CPU_A, 4)]
    assert placed(workers(GPU, CPU_A, CPU_A), rooms).tolist() == [GPU, GPU, GPU]

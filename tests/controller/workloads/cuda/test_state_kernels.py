"""States of streams that begin."""

import numpy as np
import pytest
from state_arena import FFT, StateArena, filters

from controller.workloads.cuda.kernels import BEGIN_STATES


@pytest.mark.parametrize(("state", "initial_bytes"), [(FFT, 0), (filters(4), 160), (FFT, 4)])
def test_a_state_begins_with_what_it_is_given_and_zeros_and_nothing_else_is_touched(
    play, state, initial_bytes
):
    arena, n = StateArena(state, 8), 8
    for row in arena.used:
        arena.bytes[arena.rows[row] :][: state.itemsize] = 9
    before = arena.outside()
    initial = np.arange(1, n * initial_bytes + 1).astype(np.uint8)
    play(BEGIN_STATES, arena.bytes, arena.rows, initial, n, state.itemsize, initial_bytes)
    for row in arena.used:
        found = arena.bytes[arena.rows[row] :][: state.itemsize]
        given = initial[row * initial_bytes :][:initial_bytes]
        assert found[:initial_bytes].tolist() == given.tolist()
        assert not found[initial_bytes:].any()
    np.testing.assert_array_equal(arena.outside(), before)

"""What a device's worker hands on."""

import numpy as np
import pytest

from controller.executors.gpu.worker import runs


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        ([True, True, True], [(0, 3)]),
        ([True, False, True, True], [(0, 1), (2, 2)]),
        ([False, True, False], [(1, 1)]),
        ([False, False], []),
    ],
)
def test_streams_without_a_state_lie_between_what_was_rendered(served, expected):
    assert runs(np.array(served)) == expected

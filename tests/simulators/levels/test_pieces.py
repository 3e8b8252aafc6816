"""Input on its way to a device."""

from __future__ import annotations

import numpy as np
import pytest

from policies.latency import Calibration, Transfer
from simulators.levels.closed_form import arrivals_ms
from simulators.levels.level import Work
from simulators.levels.pieces import Pieces

TRANSFER = Transfer(bytes_per_stream=1024, overhead_ms=0.5, bytes_per_ms=10_240.0)


def test_a_piece_takes_its_overhead_and_the_bytes_that_it_has():
    pieces = Pieces.of(TRANSFER, 16_384)
    assert pieces.streams == 16
    assert pieces.took_ms(16) == pytest.approx(0.5 + 1.6)
    assert pieces.took_ms(3) == pytest.approx(0.5 + 0.3)


def test_a_stream_larger_than_a_piece_takes_several():
    pieces = Pieces.of(Transfer(40_000, overhead_ms=0.5, bytes_per_ms=10_000.0), 16_384)
    assert pieces.streams == 1
    assert pieces.took_ms(1) == pytest.approx(3 * 0.5 + 4.0)


def test_streams_are_there_when_their_piece_is_and_pieces_come_one_after_the_other():
    calibration = Calibration(transfer=TRANSFER, arrival_jitter_ms=0.0)
    there_ms = arrivals_ms(calibration, Work(20, 8, 16_384))
    np.testing.assert_allclose(there_ms, [2.1] * 16 + [2.1 + 0.9] * 4)

"""What becomes of a calibration while somebody else uses the same core."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from kapellmeister.bench.simulator import VIRTUAL as TRUTH
from kapellmeister.calibration.samples import take_looks
from simulators.calibration.calibration import fit, joined
from simulators.calibration.virtual_time import play

POINTS = [(60, 32), (60, 64), (110, 32), (110, 64)]
SHARED = replace(TRUTH, compute=replace(TRUTH.compute, per_stream_ms=0.03))
"""The same executor on a core that it does not have for itself."""


class VirtualBench:
    """A worker in virtual time, on a core that somebody else uses in the looks `shared`."""

    period_ms = TRUTH.period_ms
    scheduling = "normal"

    def __init__(self, shared):
        self.shared = shared
        self.looks = count()

    def measure(self, streams, batch_size, seconds):
        number = next(self.looks)
        law = SHARED if self.shared(number) else TRUTH
        return play(law, streams, batch_size, round(1000 * seconds / self.period_ms), number)


def shares(number):
    return number % 5 == 0


def test_looks_at_a_shared_core_are_taken_again():
    bench, told = VirtualBench(shares), []
    looks = take_looks(bench, POINTS, 4.0, told.append)
    assert [len(each) for each in looks.parts] == [16] * len(POINTS)
    assert looks.slow_share == 0.0
    assert looks.repeated >= 64 // 5
    assert next(bench.looks) == 64 + looks.repeated
    law = fit([joined(each) for each in looks.parts], TRUTH.period_ms, "").compute
    assert law.per_stream_ms == pytest.approx(TRUTH.compute.per_stream_ms, rel=0.03)
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert all(0.0 <= each <= 1.0 for each in told)


def test_a_machine_that_never_is_quiet_is_not_looked_at_for_ever():
    bench = VirtualBench(lambda number: number % 3 == 0 or number > 64)
    looks = take_looks(bench, POINTS, 4.0, lambda _: None)
    assert looks.repeated == 64
    assert looks.slow_share > 0.0

"""A calibration while somebody else uses the same core."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from kapellmeister.bench.simulator.twin import VIRTUAL as TRUTH
from kapellmeister.calibration.samples import take_samples
from simulators.calibration.calibration import fit, joined
from simulators.calibration.virtual_time import play

POINTS = [(60, 32), (60, 64), (110, 32), (110, 64)]
SHARED = replace(TRUTH, compute=replace(TRUTH.compute, per_stream_ms=0.03))
"""An executor on a core that it does not have for itself."""


class VirtualSubject:
    """A worker in virtual time, on a core that somebody else uses in the samples `shared`."""

    period_ms = TRUTH.period_ms
    scheduling = "normal"

    def __init__(self, shared):
        self.shared = shared
        self.taken = count()

    def measure(self, streams, batch_size, seconds):
        number = next(self.taken)
        law = SHARED if self.shared(number) else TRUTH
        return play(law, streams, batch_size, round(1000 * seconds / self.period_ms), number)


def shares(number):
    return number % 5 == 0


def test_samples_of_a_shared_core_are_taken_again():
    subject, told = VirtualSubject(shares), []
    samples = take_samples(subject, POINTS, 4.0, told.append)
    assert [len(each) for each in samples.parts] == [16] * len(POINTS)
    assert samples.slow_share == 0.0
    assert samples.repeated >= 64 // 5
    assert next(subject.taken) == 64 + samples.repeated
    law = fit([joined(each) for each in samples.parts], TRUTH.period_ms, "").compute
    assert law.per_stream_ms == pytest.approx(TRUTH.compute.per_stream_ms, rel=0.03)
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert all(0.0 <= each <= 1.0 for each in told)


def test_a_machine_that_never_is_quiet_is_not_sampled_for_ever():
    subject = VirtualSubject(lambda number: number % 3 == 0 or number > 64)
    samples = take_samples(subject, POINTS, 4.0, lambda _: None)
    assert samples.repeated == 64
    assert samples.slow_share > 0.0

"""Knobs of a simulated pipeline."""

from __future__ import annotations

from policies.latency import Calibration, Compute, Transfer
from simulators.plant.knobs import make_knobs

FAST = Compute(fixed_ms=0.1, per_stream_ms=0.001)


def batch_sizes(calibration):
    return make_knobs(calibration, 4, 60.0, None)["batch_size"].domain.values


def test_a_device_has_batches_as_large_as_a_node_of_it_can_fill():
    assert batch_sizes(Calibration(transfer=Transfer(), compute=FAST))[-1] == 4096
    assert batch_sizes(Calibration(transfer=Transfer()))[-1] == 256


def test_a_processor_has_no_batches_beyond_its_own():
    assert batch_sizes(Calibration(compute=FAST))[-1] == 256

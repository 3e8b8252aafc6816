"""Every workload that ships passes the suite on each backend, and the suite finds what is wrong."""

from __future__ import annotations

import time

import numpy as np
import pytest

from controller import plugins
from controller.workloads.checks import CHECKS, WorkloadFault, check, check_all


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("workload", plugins.names("workloads"))
def test_a_workload_that_ships_passes(workload, name, backend):
    check(name, plugins.find("workloads", workload), backend)


class Echo:
    """Each stream with itself a block ago: the least that passes and has a past."""

    memory_blocks = 1

    def __init__(self, settings, backend):
        self.xp = backend.xp
        self.past = backend.zeros((settings.slots, settings.period_frames), np.float32)

    def reset(self, slots):
        self.past[slots] = 0.0

    def process(self, blocks, slots):
        mono = (blocks + 0.5 * self.past[slots]).sum(axis=0)
        self.past[slots] = blocks
        return self.xp.stack((mono, mono))


def test_the_least_that_is_a_workload_passes(backend):
    check_all(Echo, backend)


class Mono(Echo):
    def process(self, blocks, slots):
        return super().process(blocks, slots)[0]


class Precise(Echo):
    def process(self, blocks, slots):
        return super().process(blocks, slots).astype(np.float64)


class Dividing(Echo):
    def process(self, blocks, slots):
        with np.errstate(all="ignore"):
            return super().process(blocks, slots) / blocks.sum()


class Humming(Echo):
    def process(self, blocks, slots):
        return super().process(blocks, slots) + np.float32(0.01)


class Dithered(Echo):
    noise = np.random.default_rng(1)

    def process(self, blocks, slots):
        heard = super().process(blocks, slots)
        return heard + self.noise.uniform(0, 1e-7, heard.shape).astype(np.float32)


class Compressing(Echo):
    def process(self, blocks, slots):
        return np.tanh(super().process(blocks, slots))


class Crosstalking(Echo):
    def process(self, blocks, slots):
        heard = super().process(blocks, slots)
        self.past[:] += 0.1 * blocks[0]
        return heard


class Fading(Echo):
    gain = 1.0

    def process(self, blocks, slots):
        self.gain *= 0.999
        return np.float32(self.gain) * super().process(blocks, slots)


class Ordered(Echo):
    def process(self, blocks, slots):
        panned = blocks / (1.0 + np.sort(slots)[:, None])
        return super().process(panned.astype(np.float32), slots)


class Long(Echo):
    memory_blocks = 0


class Tenacious(Echo):
    def reset(self, slots):
        self.past[slots] *= 0.5


class Thorough(Echo):
    def reset(self, slots):
        self.past[:] = 0.0


class Writing(Echo):
    def process(self, blocks, slots):
        heard = super().process(blocks, slots)
        blocks *= 0.5
        return heard


class Borrowing(Echo):
    lent = None

    def reset(self, slots):
        self.lent = None

    def process(self, blocks, slots):
        mono = (blocks if self.lent is None else blocks + 0.5 * self.lent).sum(axis=0)
        self.lent = blocks
        return np.stack((mono, mono))


class Hoarding(Echo):
    def __init__(self, settings, backend):
        super().__init__(settings, backend)
        self.heard = []

    def process(self, blocks, slots):
        self.heard.append(blocks.sum(axis=0))
        return super().process(blocks, slots)


class Slow(Echo):
    def process(self, blocks, slots):
        until_s = time.perf_counter() + 0.006
        while time.perf_counter() < until_s:
            pass
        return super().process(blocks, slots)


@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("stereo", Mono, r"the bus is float32 \(256,\), and must be float32 \(2, 256\)"),
        ("stereo", Precise, r"the bus is float64 \(2, 256\)"),
        ("silent", Dividing, "the bus is not finite"),
        ("silent", Humming, "silence sounds"),
        ("deterministic", Dithered, "two that hear the same differ"),
        ("independent", Compressing, "beside others than alone"),
        ("independent", Crosstalking, "beside others than alone"),
        ("batchable", Fading, "one by one than in one batch"),
        ("batchable", Ordered, "in another order"),
        ("movable", Long, r"moved after 0 blocks \(memory_blocks\) differs"),
        ("forgetful", Tenacious, "not as new, or another was reset too"),
        ("forgetful", Thorough, "not as new, or another was reset too"),
        ("modest", Writing, "are written to"),
        ("modest", Borrowing, "looked at after they were lent"),
        ("lean", Hoarding, "it comes to hold"),
        ("swift", Slow, r"and sounds for 5\.3 ms"),
    ],
)
def test_what_is_wrong_is_found(name, make, why):
    with pytest.raises(WorkloadFault, match=why):
        check(name, make)

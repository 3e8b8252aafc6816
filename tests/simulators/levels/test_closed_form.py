"""The interval level against the batch level, which plays every batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from policies.knobs import SchedulingClass
from policies.latency import Calibration, Compute, Link, Post, Residuals, Transfer
from simulators.levels.closed_form import IntervalLevel, quiet_work
from simulators.levels.exact import BatchLevel
from simulators.levels.level import NodeState, Work

BATCH = Calibration()
FULL = Calibration(transfer=Transfer(), post=Post(), link=Link())
LATE = Calibration(compute=Compute(lateness_ms=Residuals((0.02, 0.05, 0.4, 1.0), (1.0,))))
PERIODS = 120_000


def p99(outcome):
    cumulated = np.cumsum(outcome.histogram)
    return 0.01 * 1.005 ** float(np.searchsorted(cumulated, 0.99 * cumulated[-1]) + 1)


@pytest.mark.parametrize(
    ("calibration", "work"),
    [
        (BATCH, Work(84, 16)),
        (BATCH, Work(90, 16)),
        (BATCH, Work(95, 16)),
        (BATCH, Work(120, 64)),
        (BATCH, Work(60, 16, contended=True)),
        (BATCH, Work(60, 16, slowdown=1.5)),
        (FULL, Work(92, 16)),
        (LATE, Work(80, 16)),
        (replace(LATE, arrival_jitter_ms=0.0), Work(90, 32)),
        (FULL, Work(70, 32, 1 << 15, SchedulingClass.NORMAL, True)),
        (FULL, Work(85, 16, link_factor=20.0, nodes=8)),
    ],
)
def test_the_law_is_near_what_is_played(calibration, work):
    law = IntervalLevel(calibration).law(work)
    _, played = BatchLevel(calibration).advance(NodeState.idle(0), work, PERIODS, seed=1)
    assert law.p99_ms == pytest.approx(p99(played), rel=0.05)
    assert law.utilisation == pytest.approx(played.utilisation, rel=0.03)
    rate = played.missed / played.blocks
    if rate >= 1e-4:
        assert law.miss_rate == pytest.approx(rate, rel=0.30)


def test_a_law_is_a_distribution():
    law = IntervalLevel(FULL).law(quiet_work(90, 16))
    assert law.latencies.sum() == pytest.approx(1.0)
    assert law.p50_ms < law.p95_ms < law.p99_ms < law.max_ms


def test_more_streams_never_miss_less():
    rates = IntervalLevel(BATCH).miss_rates(140, 16)
    assert rates[0] == 0.0
    assert (np.diff(rates) >= 0.0).all()
    assert rates[60] < 1e-6 < 0.05 < rates[110]


def test_an_idle_node_has_nothing_to_miss():
    law = IntervalLevel(BATCH).law(quiet_work(0, 16))
    assert (law.miss_rate, law.utilisation, law.latencies.sum()) == (0.0, 0.0, 0.0)


def test_larger_batches_carry_more_streams():
    level = IntervalLevel(BATCH)

    def capacity(batch_size):
        return int(np.flatnonzero(level.miss_rates(200, batch_size) <= 1e-3).max())

    assert capacity(8) < capacity(16) < capacity(64)

"""A surge on an emulated device, as a whole run in processes of its own."""

from __future__ import annotations

import pytest

from controller.executors.gpu.devices.emulated import EmulatedDevice
from kapellmeister.bench.hardware.experiments.surge import SCENARIOS, surge
from kapellmeister.bench.hardware.figures import Row
from kapellmeister.bench.hardware.rig import Rig, Scale

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]
TINY = Scale((8, 16), few=8, taps=512, arena_bytes=16 << 20, surge=16)
RIG = Rig("emulated", EmulatedDevice(), TINY)


def rows_of(place: int) -> list[Row]:
    return list(surge(SCENARIOS[place], TINY).run(RIG, 30.0))


@pytest.mark.parametrize("place", [1, 3])
def test_a_surge_is_played_while_the_worker_is_killed_or_memory_is_short(place: int) -> None:
    missed, lost = rows_of(place)
    assert missed.measured is not None, missed.why_not
    assert missed.measured.median < 50.0
    assert lost.measured is not None
    assert lost.measured.median >= 0.0


def test_memory_is_taken_from_a_real_device_only() -> None:
    assert {row.why_not for row in rows_of(2)} == {"needs CUDA, and this device is emulated"}

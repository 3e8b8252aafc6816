"""The servers on which `bench sidecar` measures, and what their monitors tell of a window."""

from __future__ import annotations

import shutil

import pytest

from kapellmeister.bench.jack_rig import jack_rig
from kapellmeister.bench.pipewire_rig import NEEDED, pipewire_rig
from kapellmeister.bench.rig import Rigged

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]


@pytest.mark.parametrize(("rigged", "needed"), [(pipewire_rig, NEEDED), (jack_rig, ("jackd",))])
def test_a_window_is_measured_by_what_the_monitor_tells(
    rigged: Rigged, needed: tuple[str, ...]
) -> None:
    if any(shutil.which(each) is None for each in needed):
        pytest.skip(f"{', '.join(needed)} are needed")
    with rigged(0) as rig:
        window = rig.window(2.0)
        assert rig.line()["period_frames"] == rig.found_frames
    assert 1.0 <= window.seconds <= 4.0
    assert window.errors >= 0

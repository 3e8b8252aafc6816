"""Whoever renders a block for the tables renders the same sound."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.fft
import scipy.sparse

from controller.executors.gpu.devices.emulated import EmulatedDevice
from controller.workloads.backends import array_backend
from kapellmeister.bench.hardware import attack
from kapellmeister.bench.hardware.churn import churn
from kapellmeister.bench.hardware.rig import Rig, Scale, noise
from kapellmeister.bench.hardware.tables.optimised import stages_of
from kapellmeister.bench.hardware.tables.processors import Job, all_cores_ms, best_batch
from kapellmeister.bench.hardware.tables.variants import OnArrays, ours_by_parts
from kapellmeister.bench.hardware.workloads import FFT, OWN_HRTF, batched_of, settings_of

TINY = Scale((8, 16), few=8, taps=512, arena_bytes=16 << 20, surge=16)
ARRAYS = array_backend("array", np, scipy.fft, scipy.sparse)


@pytest.mark.parametrize("title", ["HRTF", OWN_HRTF, FFT, "filtering"])
def test_arrays_and_each_part_of_ours_sound_alike(title: str) -> None:
    on_arrays = OnArrays(title, 8, 512, ARRAYS, np.asarray)
    expected = [on_arrays.play() for _ in range(4)]
    rig = Rig("emulated", EmulatedDevice(), TINY)
    with ours_by_parts(rig, title, 8) as blocks:
        by_turns = [*blocks.values(), *blocks.values()][:4]
        found = [np.array(block()) for block in by_turns]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_sound_at_hand_is_the_sound_of_the_batch_that_plays() -> None:
    rig = Rig("emulated", EmulatedDevice(), TINY)
    with rig.playing(batched_of(FFT, settings_of(FFT, 16, 512)), 16) as player:
        for streams in (16, 8, 16, 8):
            heard = player.play_at_hand(streams).bus
            np.testing.assert_allclose(heard[0], noise(16)[:streams].sum(axis=0), atol=1e-6)


def test_stages_are_timed_each_by_itself() -> None:
    stages = stages_of(OnArrays(FFT, 8, 512, ARRAYS, np.asarray), lambda: None, 0.02)
    assert list(stages) == ["transfer in", "compute", "transfer out"]
    assert stages["compute"] > stages["transfer in"] > 0.0


def test_streams_come_and_go_within_their_share_of_the_memory() -> None:
    held = peak = 0
    sizes: dict[int, int] = {}
    for number, size, _ in churn(1 << 24):
        sizes.setdefault(number, size)
        held += size if size else -sizes[number]
        peak = max(peak, held)
    assert held == 0
    assert 0.78 < peak / (1 << 24) <= 0.8


def test_a_core_is_measured_at_its_best_batch() -> None:
    batch, spread = best_batch(Job("filtering", 64, 512), 0.1)
    assert batch in (32, 64)
    assert spread.lowest > 0.0


@pytest.mark.live
def test_all_cores_render_a_block_together() -> None:
    assert all_cores_ms(Job("spectral analysis", 64, 512), 32, 6).lowest > 0.0


def test_a_worker_is_found_among_the_processes_that_we_started() -> None:
    program = (
        "import sys; from controller.linux.prctl import name_process; name_process('km-gpu-7');"
        "print('named', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        found = [each.process.pid for each in attack.workers()]
        worker.communicate()
    assert found == [worker.pid]
    assert worker.pid not in [each.process.pid for each in attack.workers()]
    assert os.getpid() not in found

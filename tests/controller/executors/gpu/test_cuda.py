"""The GPU executor on a real device, in as few seconds as it takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from gpu_rig import GpuRig, gpu_rig

from controller.executors.checks import CHECKS
from controller.executors.gpu.cupy_allocations import counted
from controller.executors.gpu.devices.availability import cuda_obstacle
from controller.executors.gpu.devices.cuda import CudaDevice
from controller.executors.gpu.workloads.catalogue import BATCHED
from controller.workloads.cuda.layout import LEVELS_AT

pytestmark = pytest.mark.gpu
STREAMS = np.arange(33)
MOST_OF_NORM = {"filters": 1e-6}
KEPT = {"filters": np.float64}
CHECK_APART = """
import sys
from controller.executors.checks import check
from controller.executors.gpu.executors import cuda
check(sys.argv[1], cuda)
"""
"""Run apart, since an executor forks, and this process has opened CUDA by then."""


@pytest.fixture(scope="session")
def cuda() -> None:
    obstacle = cuda_obstacle()
    if obstacle is not None:
        pytest.skip(f"{obstacle.why}; {obstacle.remedy}")


@pytest.fixture
def device(cuda: None) -> Iterator[CudaDevice]:
    opened = CudaDevice()
    yield opened
    opened.close()


@pytest.fixture
def play(device: CudaDevice) -> Callable[[str], GpuRig]:
    return lambda workload: gpu_rig(workload, device=device)


def state(rig: GpuRig, slot: int) -> np.ndarray:
    """The bytes of a stream's state, wherever the rig keeps them."""
    memory = rig.pipeline.memory
    size_bytes = memory._workload.state_bytes
    return memory._manager._backing.read(int(memory.offsets[slot]), size_bytes)


def apart(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("workload", BATCHED)
def test_every_workload_sounds_as_on_the_cpu(play: Callable[[str], GpuRig], workload: str) -> None:
    rig = play(workload)
    rig.pipeline.begin(STREAMS)
    assert rig.worst(STREAMS, 12) <= MOST_OF_NORM.get(workload, 1e-5)


@pytest.mark.parametrize("workload", BATCHED)
def test_every_workload_keeps_what_it_keeps_on_the_emulated_device(
    play: Callable[[str], GpuRig], workload: str
) -> None:
    real, emulated = play(workload), gpu_rig(workload)
    for rig in (real, emulated):
        rig.pipeline.begin(STREAMS)
        rig.worst(STREAMS, 12)
    end = LEVELS_AT if workload == "visualisation" else None
    for slot in (0, 32):
        found, expected = state(real, slot), state(emulated, slot)
        numbers = [each[:end].view(KEPT.get(workload, np.float32)) for each in (found, expected)]
        assert apart(*numbers) <= MOST_OF_NORM.get(workload, 1e-5)
        if end is not None:
            levels = [each[end:].astype(int) for each in (found, expected)]
            assert np.abs(levels[0] - levels[1]).max() <= 1


def test_streams_come_and_go_without_a_new_capture_or_allocation(
    play: Callable[[str], GpuRig], monkeypatch: pytest.MonkeyPatch
) -> None:
    import cupy

    rig = play("hrtf")
    rig.pipeline.begin(STREAMS)
    rig.worst(STREAMS, 4)
    monkeypatch.setattr(CudaDevice, "capture", lambda *_: pytest.fail("a graph is captured"))
    with counted(cupy) as allocations:
        for round_ in range(8):
            going = np.arange(round_, 33, 4)
            staying = np.setdiff1d(STREAMS, going)
            rig.pipeline.end(going)
            assert rig.worst(staying, 2) < 1e-5
            rig.pipeline.begin(going)
            rig.reference.reset(going)
            assert rig.worst(STREAMS, 2) < 1e-5
    assert (allocations.of_device, allocations.of_pool, allocations.device_bytes) == (0, 0, 0)


def test_what_is_allocated_meanwhile_is_counted(device: CudaDevice) -> None:
    import cupy

    cupy.get_default_memory_pool().free_all_blocks()
    with counted(cupy) as allocations:
        array = cupy.empty(1 << 24, np.uint8)
    assert (allocations.of_device, allocations.of_pool) == (1, 1)
    assert allocations.device_bytes >= array.nbytes


def test_states_that_are_moved_together_sound_as_before(device: CudaDevice) -> None:
    rig = gpu_rig("spectrogram", total_mib=12, device=device)
    everyone, odd = np.arange(40), np.arange(1, 40, 2)
    rig.pipeline.begin(everyone)
    rig.worst(everyone, 3)
    rig.pipeline.end(np.arange(0, 40, 2))
    before = rig.pipeline.memory.offsets[odd].copy()
    kept = state(rig, 39).copy()
    rig.pipeline.memory.make_order(always=True)
    assert (rig.pipeline.memory.offsets[odd] != before).any()
    assert np.array_equal(state(rig, 39), kept)
    assert rig.worst(odd, 4) < 1e-5


@pytest.mark.parametrize("name", CHECKS)
def test_it_keeps_the_contract_of_an_executor(cuda: None, name: str) -> None:
    command = [sys.executable, "-c", CHECK_APART, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

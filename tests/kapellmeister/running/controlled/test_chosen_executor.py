"""The executor of the built-in pipeline, by its name or by the device."""

import pytest

from controller.config.config import PipelineSection
from controller.errors import ExecutorError
from controller.executors.gpu.devices.availability import Obstacle
from kapellmeister.running.controlled import chosen_executor as module

NO_GPU = Obstacle("there is no NVIDIA driver", "install it", no_gpu=True)
TOO_OLD = Obstacle("the driver is too old", "update it")


def chosen(monkeypatch, obstacle, **pipeline):
    monkeypatch.setattr(module, "cuda_obstacle", lambda: obstacle)
    said: list[str] = []
    return module.chosen_executor(PipelineSection(**pipeline), said.append), said


@pytest.mark.parametrize(
    ("obstacle", "device", "executor", "said"),
    [
        (None, "auto", "cuda", []),
        (None, "cuda", "cuda", []),
        (NO_GPU, "auto", "cpu", []),
        (TOO_OLD, "auto", "cpu", ["the CPU plays: the driver is too old; update it"]),
        (TOO_OLD, "cpu", "cpu", []),
        (TOO_OLD, "emulated", "emulated", []),
    ],
)
def test_the_device_chooses_the_executor_and_the_cpu_plays_with_one_warning(
    monkeypatch, obstacle, device, executor, said
):
    assert chosen(monkeypatch, obstacle, device=device) == (executor, said)


def test_cuda_that_cannot_be_had_is_refused_with_its_remedy(monkeypatch):
    with pytest.raises(ExecutorError, match="executor cuda: the driver is too old; update it"):
        chosen(monkeypatch, TOO_OLD, device="cuda")


def test_an_executor_that_is_named_is_taken_whatever_the_device(monkeypatch):
    assert chosen(monkeypatch, TOO_OLD, executor="null", device="cuda") == ("null", [])


def test_a_workload_without_kernels_is_left_to_the_cpu(monkeypatch):
    executor, said = chosen(monkeypatch, None, workload="mine.py:Mine")
    assert executor == "cpu"
    assert said == ["the CPU plays: workload mine.py:Mine has no kernels for the GPU"]

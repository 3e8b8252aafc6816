"""The arena on a CUDA device, as far as it goes without one."""

import sys
from types import SimpleNamespace

import pytest

from controller.errors import ConfigurationError
from controller.executors.vram.backings.cupy import CupyBacking


class CudaError(Exception):
    def __init__(self, status):
        super().__init__(status)
        self.status = status


def cuda_that_refuses(status):
    def refuse(size_bytes):
        raise CudaError(status)

    runtime = SimpleNamespace(CUDARuntimeError=CudaError, memGetInfo=lambda: (1000, 9000))
    return SimpleNamespace(cuda=SimpleNamespace(Memory=refuse, runtime=runtime))


def test_memory_that_others_took_meanwhile_is_told_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", cuda_that_refuses(status=2))
    with pytest.raises(ConfigurationError, match="4,096 bytes are more than the 1,000 that are"):
        CupyBacking(4096)


def test_another_failure_of_the_device_is_passed_on(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", cuda_that_refuses(status=100))
    with pytest.raises(CudaError, match="100"):
        CupyBacking(4096)

import pytest

from controller.executors.vram.backings.cupy import CupyBacking
from controller.executors.vram.backings.null import NullBacking
from controller.executors.vram.backings.numpy import NumpyBacking
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager

MIB = 1 << 20


@pytest.fixture(params=["null", "numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def backing(request):
    """One MiB of nothing, of the host's memory, and of a CUDA device's."""
    if request.param == "cupy":
        pytest.importorskip("cupy")
    kinds = {"null": NullBacking, "numpy": NumpyBacking, "cupy": CupyBacking}
    made = kinds[request.param](MIB)
    yield made
    made.close()


@pytest.fixture
def manager(backing):
    """Slabs of 16 KiB on each backing."""
    return VRAMManager(backing, VRAMConfig(block_bytes=16384))

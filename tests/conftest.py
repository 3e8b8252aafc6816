from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import scipy.sparse

from controller.errors import PlugInError
from controller.sound.bank import SoundBank
from controller.sound.files import load_sound
from controller.sound.synthesis import synthesise_sounds
from controller.workloads.backends import array_backend, cupy_backend, numpy_backend

SHARED = Path(__file__).parents[1].parent / "shared"
STREAMS = 6
BLOCKS = 40
NOT_RUN = pytest.StashKey[int]()


def pytest_deselected(items):
    """Count what needs a GPU and is left out."""
    if items:
        count = sum(item.get_closest_marker("gpu") is not None for item in items)
        stash = items[0].config.stash
        stash[NOT_RUN] = stash.get(NOT_RUN, 0) + count


def pytest_terminal_summary(terminalreporter, config):
    """Say how much of what there is to test was not: nobody should think that it passed."""
    if count := config.stash.get(NOT_RUN, 0):
        words = f"{count} tests need a GPU and were not run: pytest -m gpu"
        terminalreporter.write_line(words, yellow=True)


@pytest.fixture(scope="session")
def shared_audio():
    folder = SHARED / "audio"
    if not folder.is_dir():
        pytest.skip(f"real recordings are absent ({folder.name}/ of the shared material)")
    return folder


@pytest.fixture(
    scope="session", params=["numpy", "array", pytest.param("cupy", marks=pytest.mark.gpu)]
)
def backend(request):
    """Compiled loops, whole-array operations, and the same on a GPU where there is one."""
    if request.param == "numpy":
        return numpy_backend()
    if request.param == "array":
        return array_backend("array", np, scipy.fft, scipy.sparse)
    try:
        return cupy_backend()
    except PlugInError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def synthetic_sounds():
    return synthesise_sounds(48_000, seed=1)


@pytest.fixture(scope="session", params=["synthetic", "recorded"])
def streams(request):
    """Six streams of 40 blocks of 256 samples at 48 kHz: (6, 10240) float32, near full scale."""
    if request.param == "synthetic":
        sounds = request.getfixturevalue("synthetic_sounds")
    else:
        sounds = load_sound(request.getfixturevalue("shared_audio"), 48_000)
    bank = SoundBank(sounds, period_frames=256, streams=1)
    slots = np.arange(STREAMS, dtype=np.intp)
    return np.concatenate([bank.gather(index, slots) for index in range(BLOCKS)], axis=1)

"""Spectra of responses stay on the device while nobody needs their room."""

import numpy as np
import pytest

from controller.errors import DeviceMemoryError
from controller.executors.vram.backings.numpy import NumpyBacking
from controller.executors.vram.cache import DeviceCache
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.usage import Usage

HALF = 1 << 19


@pytest.fixture
def backing():
    return NumpyBacking(1 << 20)


@pytest.fixture
def manager(backing):
    return VRAMManager(backing, VRAMConfig(block_bytes=16384))


@pytest.fixture
def cache(manager):
    return DeviceCache(manager)


def hold(cache, key, backing, size_bytes=HALF):
    return cache.hold(
        key, size_bytes, "responses", lambda offset: backing.fill(offset, size_bytes, ord(key))
    )


def test_an_entry_is_filled_once_and_found_again(cache, manager, backing):
    first = hold(cache, "a", backing)
    cache.release("a")
    assert hold(cache, "a", backing) == first
    assert (cache.hits, cache.misses) == (1, 1)
    assert np.all(backing.read(manager.offset(first), HALF) == ord("a"))


def test_the_least_recently_held_is_evicted_first(cache, manager, backing):
    for key in "abab":
        hold(cache, key, backing)
    for key in "abba":
        cache.release(key)
    hold(cache, "c", backing)
    assert ("a" in cache, "b" in cache) == (True, False)
    assert manager.account().evictions == 1


def test_what_is_held_is_never_evicted(cache, backing):
    hold(cache, "a", backing)
    hold(cache, "b", backing)
    with pytest.raises(DeviceMemoryError, match="responses"):
        hold(cache, "c", backing)


def test_what_nobody_holds_gives_way_to_streams(cache, manager, backing):
    hold(cache, "a", backing)
    cache.release("a")
    manager.allocate(1 << 20, Usage.VISUALISATION, "picture")
    assert "a" not in cache


def test_an_entry_that_nobody_holds_cannot_be_released(cache, backing):
    hold(cache, "a", backing)
    cache.release("a")
    with pytest.raises(KeyError):
        cache.release("a")


def test_what_could_not_be_filled_is_not_kept(cache, manager):
    def fail(offset):
        raise OSError("no such response")

    with pytest.raises(OSError, match="no such response"):
        cache.hold("a", HALF, "responses", fail)
    assert "a" not in cache
    assert manager.account().used_bytes == 0

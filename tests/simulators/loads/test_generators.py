"""Loads by name."""

from __future__ import annotations

import numpy as np
import pytest

from controller.errors import TraceError
from simulators.loads.generators import GENERATORS, find_trace, generate


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generated_trace_has_its_length_and_peak_and_is_the_same_each_time(name):
    trace = find_trace(f"{name}:3d")
    assert len(trace.streams) == 3 * 1440
    assert max(trace.streams) == pytest.approx(1000.0)
    assert min(trace.streams) >= 0.0
    assert trace == generate(name, 3.0)


def test_hours_are_a_length_too():
    assert len(find_trace("burst:12h").streams) == 720


@pytest.mark.parametrize("text", ["burst:3w", "burst:0d", "burst:nand", "burst:5000d"])
def test_a_length_that_makes_no_sense_is_refused(text):
    with pytest.raises(TraceError, match="is no length"):
        find_trace(text)


def test_a_name_that_is_nothing_names_what_there_is():
    with pytest.raises(TraceError, match="flash_crowd"):
        find_trace("diurnall")


def test_the_flash_crowd_comes_within_minutes():
    streams = np.array(generate("flash_crowd", 2.0).streams)
    assert (streams[3:] / streams[:-3]).max() > 3.0

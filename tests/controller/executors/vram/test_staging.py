"""Pinned blocks of the host are used in turn, each once its copy has ended."""

import numpy as np
from late_device import LateEvent

from controller.executors.vram.staging import StagingRing


def test_a_block_comes_round_once_its_copy_has_ended():
    ring = StagingRing(lambda size: np.zeros(size, np.uint8), blocks=2, block_bytes=1024)
    first, event = ring.take(), LateEvent()
    ring.copied(event)
    second = ring.take()
    ring.copied(LateEvent())
    assert first is not second
    assert (ring.waits, event.is_done) == (0, False)
    assert ring.take() is first
    assert (ring.waits, event.is_done) == (1, True)

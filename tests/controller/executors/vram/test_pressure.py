"""Who yields to whom when there is too little device memory."""

import pytest
from late_device import LateEvent

from controller.errors import DeviceMemoryError, StaleHandleError
from controller.executors.vram.backings.null import NullBacking
from controller.executors.vram.config import VRAMConfig
from controller.executors.vram.manager import VRAMManager
from controller.executors.vram.usage import Usage, yielding_to
from policies.objective import Priority

AUDIO, ANALYSIS, VISUALISATION = Usage.AUDIO, Usage.ANALYSIS, Usage.VISUALISATION
QUARTER = 256 * 1024


class Arena:
    """One MiB in quarters, and the owners that had to yield, in order."""

    def __init__(self, priority=Priority.AUDIO):
        config = VRAMConfig(block_bytes=16384, priority=priority)
        self.manager = VRAMManager(NullBacking(1 << 20), config)
        self.yielded = []

    def take(self, usage, owner, quarters=1):
        return self.manager.allocate(
            quarters * QUARTER, usage, owner, lambda handle: self.yielded.append(handle.owner)
        )


@pytest.mark.parametrize(
    ("priority", "order"),
    [
        (Priority.AUDIO, [VISUALISATION, ANALYSIS, AUDIO]),
        (Priority.VISUAL, [ANALYSIS, AUDIO, VISUALISATION]),
    ],
)
def test_caches_yield_first_then_streams_as_the_priority_says(priority, order):
    arena = Arena(priority)
    for usage in (AUDIO, ANALYSIS, VISUALISATION, Usage.CACHE):
        arena.take(usage, usage)
    for _ in range(4):
        arena.manager.allocate(QUARTER, Usage.WORKSPACE, "graph")
    assert arena.yielded == [Usage.CACHE, *order]
    account = arena.manager.account()
    assert (account.evictions, account.yields) == (1, 3)


def test_nobody_takes_from_those_that_rank_as_high_or_higher():
    arena = Arena()
    for number in range(4):
        arena.take(ANALYSIS, f"analysis {number}")
    for usage in (VISUALISATION, ANALYSIS):
        with pytest.raises(DeviceMemoryError):
            arena.take(usage, "late")
    assert arena.yielded == []
    arena.take(AUDIO, "sound")
    assert arena.yielded == ["analysis 0"]


def test_nobody_yields_in_vain():
    arena = Arena()
    arena.take(AUDIO, "sound", quarters=2)
    arena.take(VISUALISATION, "picture", quarters=2)
    with pytest.raises(DeviceMemoryError):
        arena.take(ANALYSIS, "spectrum", quarters=3)
    assert arena.yielded == []


def test_what_is_pinned_does_not_yield():
    arena = Arena()
    pinned = arena.take(VISUALISATION, "pinned")
    for number in range(3):
        arena.take(VISUALISATION, f"picture {number}")
    with arena.manager.pinned(pinned):
        arena.take(AUDIO, "sound")
    assert arena.yielded == ["picture 0"]


def test_what_yielded_is_gone_and_its_last_use_waited_for():
    arena, event = Arena(), LateEvent()
    picture = arena.take(VISUALISATION, "picture", quarters=4)
    arena.manager.used(picture, "compute", event)
    arena.take(AUDIO, "sound")
    assert event.is_done
    with pytest.raises(StaleHandleError, match="picture"):
        arena.manager.offset(picture)


def test_without_a_word_to_its_owner_nothing_is_taken_away():
    arena = Arena()
    arena.manager.allocate(4 * QUARTER, VISUALISATION, "picture")
    with pytest.raises(DeviceMemoryError):
        arena.take(AUDIO, "sound")


def test_in_balance_those_that_hold_most_yield_to_those_that_hold_less():
    held = {AUDIO: 300, ANALYSIS: 100, VISUALISATION: 200}
    assert yielding_to(ANALYSIS, Priority.BALANCED, held) == (AUDIO, VISUALISATION)
    assert yielding_to(VISUALISATION, Priority.BALANCED, held) == (AUDIO,)
    assert yielding_to(AUDIO, Priority.BALANCED, held) == ()
    even = dict.fromkeys((AUDIO, ANALYSIS, VISUALISATION), 100)
    assert yielding_to(AUDIO, Priority.BALANCED, even) == ()
    assert yielding_to(Usage.CACHE, Priority.BALANCED, held) == ()

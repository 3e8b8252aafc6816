"""When a JACK server freewheels, by what it says and by how fast frames go by."""

from __future__ import annotations

import pytest

from controller.plants.jack.freewheel import Freewheel

TENTH_NS, TENTH_FRAMES = 100_000_000, 4_800


def lasts(freewheel: Freewheel, *tenths: int) -> list[bool]:
    """Whether lines a tenth of a second apart mean freewheel, so many tenths having been played."""
    return [
        freewheel.lasts(line * TENTH_NS, played * TENTH_FRAMES % (1 << 32), 48_000)
        for line, played in enumerate(tenths)
    ]


def test_freewheel_lasts_as_long_as_the_server_says() -> None:
    freewheel = Freewheel()
    assert lasts(freewheel, 0, 1, 2) == [False] * 3
    freewheel.tell(True)
    assert lasts(freewheel, 3, 3, 3) == [True] * 3  # it computes more slowly than it would play
    freewheel.tell(False)
    assert lasts(freewheel, 90, 180, 270) == [False] * 3


def test_who_joins_in_freewheel_sees_it_by_the_speed() -> None:
    freewheel = Freewheel()
    assert lasts(freewheel, 0, 20, 40, 60) == [False, False, True, True]
    freewheel.tell(False)
    assert lasts(freewheel, 60) == [False]


@pytest.mark.parametrize("tenths", [(0, 0, 9, 10, 11), (0, 5, 6, 11, 12)])
def test_what_is_made_up_for_after_a_stall_is_no_freewheel(tenths: tuple[int, ...]) -> None:
    assert not any(lasts(Freewheel(), *tenths))

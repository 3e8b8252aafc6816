from __future__ import annotations

import pytest

from controller.monitors import link as links
from controller.monitors.link import MonitorLink


class Clock:
    """The clock of the link, which a test moves on."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(links, "time", clock)
    return clock


def until_ended(link: MonitorLink) -> None:
    while link.pid is not None:
        link.newest()


def pauses_s(link: MonitorLink, clock: Clock, starts: int) -> list[float]:
    """Seconds until each further start of a monitor that ends at once."""
    found = []
    for _ in range(starts):
        until_ended(link)
        before_s = clock.now_s
        while link.pid is None:
            clock.now_s += 1.0
            link.newest()
        found.append(clock.now_s - before_s)
    return found


def test_a_monitor_that_ends_is_started_again_after_five_seconds_each_time(clock: Clock) -> None:
    link = MonitorLink("no_such_module")
    assert pauses_s(link, clock, 3) == [6.0, 6.0, 6.0]
    link.close()


def test_the_pauses_of_one_that_tells_nothing_grow_up_to_the_longest(clock: Clock) -> None:
    link = MonitorLink("no_such_module", longest_pause_s=20.0)
    assert pauses_s(link, clock, 4) == [6.0, 11.0, 21.0, 21.0]
    link.close()


def test_one_that_ends_without_a_word_is_said_to_have_ended(clock: Clock) -> None:
    link = MonitorLink("no_such_module")
    until_ended(link)
    assert link.error == ("its monitor has ended unexpectedly", "wait, it is started again")

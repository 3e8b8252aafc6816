"""When a worker that does nothing is taken to hang."""

from controller.executors.gpu.heartbeat import Heartbeat


class Watched:
    def __init__(self) -> None:
        self.beats, self.now_s = 3, 100.0
        self.heartbeat = Heartbeat(lambda: self.beats, lambda: self.now_s)

    def stopped_during(self, seconds: float, every_s: float = 0.25) -> bool:
        """Whether it was said to have stopped at any look in that time."""
        said = []
        for _ in range(int(seconds / every_s)):
            self.now_s += every_s
            said.append(self.heartbeat.has_stopped())
        return any(said)


def test_a_worker_that_beats_no_more_has_stopped_after_five_seconds():
    watched = Watched()
    assert not watched.stopped_during(5.0)
    assert watched.stopped_during(0.5)


def test_a_worker_that_beats_slowly_has_not_stopped():
    watched = Watched()
    for _ in range(4):
        assert not watched.stopped_during(4.0)
        watched.beats += 1


def test_a_new_worker_that_counts_from_zero_has_not_stopped():
    watched = Watched()
    watched.stopped_during(4.5)
    watched.beats = 0
    assert not watched.stopped_during(4.5)


def test_time_in_which_nobody_looked_says_nothing_of_the_worker():
    watched = Watched()
    watched.stopped_during(4.5)
    watched.now_s += 3600.0
    assert not watched.stopped_during(4.5)

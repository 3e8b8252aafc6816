"""A device whose work ends when told: copies and kernels touch memory no sooner than then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from controller.executors.vram.backings.numpy import NumpyBacking


class LateEvent:
    """Does its work when it is finished or waited for, whichever comes first."""

    def __init__(self, work: Callable[[], object] = lambda: None) -> None:
        self.is_done = False
        self._work = work

    def finish(self) -> None:
        if not self.is_done:
            self.is_done = True
            self._work()

    wait = finish


class LateBacking(NumpyBacking):
    """Copies read their source and write their target only once they are finished."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.copies: list[LateEvent] = []

    def copy(self, source: int, target: int, size_bytes: int) -> LateEvent:
        assert abs(source - target) >= size_bytes, "source and target overlap"
        self.copies.append(LateEvent(partial(super().copy, source, target, size_bytes)))
        return self.copies[-1]

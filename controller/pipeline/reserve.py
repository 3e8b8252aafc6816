"""Keeps a part of all processor time free: work beside the sound yields first."""

from __future__ import annotations

from collections.abc import Collection

from controller.linux.processors import share_of_all_cpus
from controller.pipeline.companions import Board

LEAST_SHARE = 0.01
"""Share of all processor time, enough for a companion to stay alive."""


class Reserve:
    """Grants each companion its budget, or less where audio has grown into the reserve.

    All shares are parts of all processor time.
    """

    def __init__(self, reserve_share: float) -> None:
        self._reserve_share = reserve_share
        self._budgets: dict[str, float] = {}

    def set_budget(self, work_class: str, share: float) -> None:
        """Let a class of work use at most this share."""
        self._budgets[work_class] = share

    def granted(self, audio_share: float, companions: Collection[str]) -> dict[str, float]:
        """Share that each companion may use while audio uses `audio_share`."""
        free = max(0.0, 1.0 - self._reserve_share - audio_share)
        wanted = sum(self._budgets[name] for name in companions)
        scale = min(1.0, free / wanted) if wanted else 1.0
        return {name: max(LEAST_SHARE, self._budgets[name] * scale) for name in companions}

    def grant(self, audio_share: float, boards: dict[str, Board]) -> None:
        """Write what each companion is granted onto its board, as a share of one processor."""
        for name, share in self.granted(audio_share, boards.keys()).items():
            boards[name].share = share_of_all_cpus(share)

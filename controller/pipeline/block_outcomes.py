"""Accounts for every block as on time, late, concealed or lost, and mixes what is heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.executors.batch import FinishedBatches
from controller.executors.stream_table import NOBODY, Assignment
from controller.executors.timetable import Timetable
from policies.observation import BlockCounts, Reading, Value

WINDOW = 4096
"""Blocks that may await their account at once, over 20 s at 256 frames and 48 kHz."""
GRACE_NS = 500_000_000
"""Nanoseconds after play-out in which a finished batch may be seen; only its stamps count."""
CONCEALED_AT_MOST = 2
"""Blocks in a row that a fading repetition can stand in for; after that there is silence."""
FADE = 0.5

ABSENT = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """The account of one block.

    `missed` streams of `submitted` were not on time; `latency_ns` (n,) of each finished
    stream counts from capture, and for an absent one until its play-out, the least it can be.
    """

    block: int
    submitted: int
    missed: int
    latency_ns: NDArray[np.int64]


class Playout:
    """Settles blocks in order, each whole, so that the counts add up at all times.

    Outcomes follow from the workers' own stamps against the timetable: this bookkeeping may
    run late without changing them. Batches are summed in the order of their shards, so that the
    sound is the same to the bit whoever rendered what, and when it came.
    """

    def __init__(
        self,
        timetable: Timetable,
        slots: int,
        period_frames: int,
        hear: Callable[[NDArray[np.float32]], None] | None = None,
    ) -> None:
        self._timetable = timetable
        self._period_frames = period_frames
        self._hear = hear
        self._assignments: deque[Assignment] = deque()
        self._current = Assignment(0, 0, 1, np.full(slots, NOBODY, np.int16))
        self._finish_ns = np.full((WINDOW, slots), ABSENT, np.int64)
        self._buses: dict[int, dict[tuple[int, int], NDArray[np.float32]]] = {}
        self._last_bus: dict[int, NDArray[np.float32]] = {}
        self._absences = np.zeros(slots, np.int64)
        self._submitted = np.zeros(slots, np.int64)
        self._outcomes = np.zeros((4, slots), np.int64)
        self.next_block = 0
        self.duplicates = 0

    @property
    def counts(self) -> BlockCounts:
        """Blocks of all streams so far."""
        return BlockCounts(*(int(total) for total in self._outcomes.sum(axis=1)))

    def readings(self) -> Mapping[str, Reading]:
        """Blocks of streams that a second worker has handed on, and that were dropped."""
        return {"workers.duplicates": Value(float(self.duplicates))}

    def submitted_and_outcomes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Per slot: blocks submitted (slots,), and by outcome (4, slots)."""
        return self._submitted.copy(), self._outcomes.copy()

    def assign(self, assignment: Assignment) -> None:
        """Learn the shards of all streams from the block on that the assignment names."""
        self._assignments.append(assignment)

    def collect(self, finished: FinishedBatches) -> None:
        """Take in what a worker has finished; what another had before is dropped, and counted."""
        for batch, bus in zip(finished.batches, finished.buses, strict=True):
            block = int(batch["block"])
            if self.next_block <= block < self.next_block + WINDOW:
                self._collect_one(block, batch, bus)

    def settle(self, now_ns: int, end_block: int) -> list[Settled]:
        """Close the account of each block before `end_block` that is complete or long past."""
        settled = []
        while self.next_block < end_block and self._timetable.played_ns(self.next_block) < now_ns:
            live = self._adopt(self.next_block).live
            finish_ns = self._finish_ns[self.next_block % WINDOW]
            complete = bool((finish_ns[live] != ABSENT).all())
            if not complete and self._timetable.played_ns(self.next_block) + GRACE_NS > now_ns:
                break
            settled.append(self._close(self.next_block, live, finish_ns))
            self.next_block += 1
        return settled

    def _collect_one(self, block: int, batch: np.void, bus: NDArray[np.float32]) -> None:
        shard, first, count = int(batch["shard"]), int(batch["first"]), int(batch["count"])
        slots = self._assignment_for(block).slots_of(shard)[first : first + count]
        if len(slots) < count:
            return  # rendered under an assignment that came too late: its streams are absent
        finish_ns = self._finish_ns[block % WINDOW]
        if (finish_ns[slots] != ABSENT).any():
            self.duplicates += count
            return
        finish_ns[slots] = batch["finish_ns"]
        if self._hear is not None and batch["finish_ns"] <= self._timetable.played_ns(block):
            self._buses.setdefault(block, {})[shard, first] = bus

    def _assignment_for(self, block: int) -> Assignment:
        chosen = self._current
        for assignment in self._assignments:
            if assignment.from_block <= block:
                chosen = assignment
        return chosen

    def _adopt(self, block: int) -> Assignment:
        while self._assignments and self._assignments[0].from_block <= block:
            self._current = self._assignments.popleft()
        return self._current

    def _close(self, block: int, live: NDArray[np.intp], finish_ns: NDArray[np.int64]) -> Settled:
        finished = finish_ns[live]
        absent = finished > self._timetable.played_ns(block)
        late = ~absent & (finished > self._timetable.due_ns(block))
        self._absences[live] = np.where(absent, self._absences[live] + 1, 0)
        concealed = absent & (self._absences[live] <= CONCEALED_AT_MOST)
        lost = absent & ~concealed
        self._submitted[live] += 1
        for outcome, hit in enumerate((~absent & ~late, late, concealed, lost)):
            self._outcomes[outcome, live] += hit
        latest_ns = np.where(finished == ABSENT, self._timetable.played_ns(block), finished)
        if self._hear is not None:
            self._hear(self._heard(block, live, absent))
        finish_ns[:] = ABSENT
        missed = int(np.count_nonzero(absent | late))
        latency_ns = latest_ns - self._timetable.captured_ns(block)
        return Settled(block, len(live), missed, latency_ns)

    def _heard(
        self, block: int, live: NDArray[np.intp], absent: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """The mix at play-out: what is there, and a fading repetition of what is not."""
        heard = np.zeros((2, self._period_frames), np.float32)
        present: dict[int, NDArray[np.float32]] = {}
        for (shard, _), bus in sorted(self._buses.pop(block, {}).items(), key=_place):
            present[shard] = present[shard] + bus if shard in present else bus
        shards = self._current.shards[live]
        for shard in np.unique(shards).tolist():
            own = shards == shard
            concealed = own & absent & (self._absences[live] <= CONCEALED_AT_MOST)
            share = np.count_nonzero(concealed) / np.count_nonzero(own)
            stand_in = self._last_bus.get(shard, heard * 0.0) * np.float32(share * FADE)
            bus = present.get(shard, 0.0) + stand_in
            self._last_bus[shard] = bus
            heard += bus
        return heard


def _place(item: tuple[tuple[int, int], NDArray[np.float32]]) -> tuple[int, int]:
    """The shard of a batch, and its first stream there."""
    return item[0]

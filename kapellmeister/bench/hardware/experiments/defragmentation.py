"""Defragmentation while sound plays, in pairs with and without; its speed and its passes."""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from controller.executors.vram.backing import Backing
from controller.executors.vram.handle import Handle
from controller.executors.vram.usage import Usage
from controller.workloads.cuda.layout import aligned
from kapellmeister.bench.hardware.experiment import Experiment, Found
from kapellmeister.bench.hardware.figures import Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import PERIOD_S, Player, Rig, Scale
from kapellmeister.bench.hardware.timing import (
    Rounds,
    at_block_rate,
    back_to_back,
    in_rounds,
)
from kapellmeister.bench.hardware.workloads import batched_of, settings_of
from kapellmeister.bench.spread import Spread

TITLE = "spectrogram"
"""Title of the workload whose states are large, so that holes between them matter."""
WITH, WITHOUT = "with defragmentation", "without"
RATIO = "p99 of a block, with defragmentation / without"
PASS = "a pass, p99"
SPEED = "speed of moving, share of a large copy"
MOVED = "moved in all"


def defragmentation() -> Experiment:
    """A block's 99 % quantile with passes between blocks and without, and the passes."""
    rows = (
        Planned(RATIO, "times", Goal(1.05, is_most=True)),
        Planned(PASS, "us", Goal(250.0, is_most=True)),
        Planned(SPEED, "", Goal(0.5)),
        Planned(MOVED, "MiB"),
        *(Planned(_block(how), "ms") for how in (WITH, WITHOUT)),
    )
    return Experiment("defragmentation", rows, 1.5, _defragmentation, least_s=0.3)


def _defragmentation(rig: Rig, seconds: float) -> Found:
    streams = rig.scale.many // 2
    workload = batched_of(TITLE, settings_of(TITLE, streams, rig.scale.taps))
    with rig.playing(workload, streams) as player:
        churning = Churning(player, aligned(workload.state_bytes))
        turns = {WITHOUT: partial(churning.turn, False), WITH: partial(churning.turn, True)}
        found = in_rounds(turns, 0.8 * seconds)
        copied_bytes_per_s = _large_copy(player.backing, rig.scale, 0.2 * seconds)
    for how, each in found.items():
        yield each.named(_block(how))
    yield Measured(RATIO, _p99_ratios(found[WITH], found[WITHOUT]))
    if not churning.passes:
        return
    took_s, moved_bytes = np.array(churning.passes).T
    yield Measured.once(PASS, 1e6 * float(np.quantile(took_s, 0.99)))
    yield Measured.once(SPEED, float(moved_bytes.sum() / took_s.sum() / copied_bytes_per_s))
    yield Measured.once(MOVED, float(moved_bytes.sum()) / 2**20)


class Churning:
    """Streams that stay play, while others come and go between blocks and leave holes.

    `passes` are (seconds, bytes) of each pass that moved anything.
    """

    def __init__(self, player: Player, state_bytes: int) -> None:
        self._player = player
        self._pipeline = player.pipeline
        self._rng = np.random.default_rng(0)
        self.passes: list[tuple[float, int]] = []
        self._state_bytes = state_bytes
        self._visitors: list[Handle] = []
        rest = self._take_all_but(state_bytes)
        if rest is not None:
            player.manager.pin_for_good(rest)
        self._away = player.slots[::2].copy()
        self._guests = player.slots[1::4].copy()
        self._staying = player.slots[3::4].copy()
        self._pipeline.end(self._away)

    def turn(self, with_passes: bool, seconds: float) -> list[float]:
        """Milliseconds of each block, played at the block rate; what is between is not counted."""
        call = partial(self._player.play_slots, self._staying)
        between = partial(self._between, with_passes)
        return at_block_rate(call, PERIOD_S, between)(seconds)

    def _between(self, with_passes: bool) -> None:
        """One stream goes and another comes, and perhaps states are moved together."""
        going, coming = (int(self._rng.integers(len(each))) for each in (self._guests, self._away))
        self._pipeline.end(self._guests[going : going + 1])
        self._pipeline.begin(self._away[coming : coming + 1])
        self._guests[going], self._away[coming] = self._away[coming], self._guests[going]
        if with_passes:
            self._pass()

    def _pass(self) -> None:
        memory = self._pipeline.memory
        before = memory.account().defragmented_bytes
        begun_s = time.perf_counter()
        memory.make_order(always=True)
        took_s = time.perf_counter() - begun_s
        if moved_bytes := memory.account().defragmented_bytes - before:
            self.passes.append((took_s, moved_bytes))
        else:
            self._visit()

    def _visit(self) -> None:
        """Something large takes the room that was made; once there is none, all such goes again."""
        visitor = self._take_all_but(self._state_bytes)
        if visitor is not None:
            self._visitors.append(visitor)
            return
        while self._visitors:
            self._player.manager.free(self._visitors.pop())

    def _take_all_but(self, slack_bytes: int) -> Handle | None:
        """Take the largest piece but for a little, so that there is a reason to move anything."""
        manager = self._player.manager
        rest_bytes = manager.account().largest_free_bytes - slack_bytes
        if rest_bytes <= 0:
            return None
        return manager.allocate(rest_bytes, Usage.WORKSPACE, "something large")


def _large_copy(backing: Backing, scale: Scale, seconds: float) -> float:
    """Bytes a second of a large copy on the device, of bytes that nobody needs any longer."""
    size_bytes = scale.large_copy_bytes
    copy = back_to_back(lambda: backing.copy(0, size_bytes, size_bytes).wait())
    return size_bytes / (in_rounds({"copy": copy}, seconds)["copy"].spread.median / 1000.0)


def _p99_ratios(one: Rounds, other: Rounds) -> Spread:
    """Of the 99 % quantiles, pair by pair."""
    pairs = zip(one.by_round, other.by_round, strict=True)
    return Spread.of([float(np.quantile(a, 0.99) / np.quantile(b, 0.99)) for a, b in pairs])


def _block(how: str) -> str:
    return f"a block of {TITLE}, {how}"

"""Our rendering beside that of peers, which must do the same work."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from controller.workloads.arrays import FloatArray
from controller.workloads.hrir import HrirSet
from kapellmeister.bench.spread import Spread
from kapellmeister.bench.workloads.figures import PeerFigures
from kapellmeister.bench.workloads.inputs import PERIOD_FRAMES, inputs_of, reverberant_room
from kapellmeister.bench.workloads.renderers import (
    FftconvolveBatched,
    FftconvolvePerStream,
    Kapellmeister,
    PedalboardPerStream,
    Renderer,
    WholeSignal,
)
from kapellmeister.bench.workloads.timing import call_us, interleaved

PEER_STREAMS, PEER_TAPS = 64, 2048
COMPARED_BLOCKS = 32
LARGEST_DIFFERENCE = 1e-4
"""Difference relative to the loudest sample: a peer that differs by more does other work."""
GOALS = {FftconvolvePerStream.name: 40.0, PedalboardPerStream.name: 12.0}
"""Times our processor time that a peer takes at least, by its name."""


def compare_with_peers(rounds: int, slice_s: float) -> tuple[Spread, list[PeerFigures]]:
    """Spread of our time for a block, and the figures of each peer, in microseconds."""
    inputs, hrirs = inputs_of(PEER_STREAMS), reverberant_room(PEER_STREAMS, PEER_TAPS)
    ours = Kapellmeister(inputs, hrirs)
    found, absent = peers_here(inputs, hrirs)
    expected = rendered(Kapellmeister(inputs, hrirs), COMPARED_BLOCKS)
    differences = [difference_from(peer, expected) for peer in found]
    times_us = interleaved([partial(_block_us, each, slice_s) for each in (ours, *found)], rounds)
    figures = [
        peer_figures(peer.name, difference, times_us[0], theirs)
        for peer, difference, theirs in zip(found, differences, times_us[1:], strict=True)
    ]
    return Spread.of(times_us[0]), figures + absent


def peers_here(inputs: FloatArray, hrirs: HrirSet) -> tuple[list[Renderer], list[PeerFigures]]:
    """Peers that can be measured here, and a row for the one that may be absent."""
    found: list[Renderer] = [
        FftconvolvePerStream(inputs, hrirs),
        FftconvolveBatched(inputs, hrirs),
        WholeSignal("fftconvolve", inputs, hrirs),
        WholeSignal("oaconvolve", inputs, hrirs),
    ]
    name = PedalboardPerStream.name
    try:
        found.append(PedalboardPerStream(inputs, hrirs))
    except ImportError:
        remark = "absent; pip install 'kapellmeister[bench]'"
        return found, [_unmeasured(name, remark, difference=None)]
    return found, []


def peer_figures(
    name: str, difference: float, ours_us: Sequence[float], theirs_us: Sequence[float]
) -> PeerFigures:
    """Figures of a peer, from its times and ours round by round, microseconds."""
    if difference > LARGEST_DIFFERENCE:
        return _unmeasured(name, "its output differs from ours", difference)
    ratios = [theirs / ours for ours, theirs in zip(ours_us, theirs_us, strict=True)]
    return PeerFigures(
        name=name,
        remark=None,
        difference=difference,
        block_us=Spread.of(theirs_us),
        ratio=Spread.of(ratios),
        goal=GOALS.get(name),
    )


def _unmeasured(name: str, remark: str, difference: float | None) -> PeerFigures:
    return PeerFigures(
        name=name,
        remark=remark,
        difference=difference,
        block_us=None,
        ratio=None,
        goal=GOALS.get(name),
    )


def rendered(renderer: Renderer, blocks: int) -> FloatArray:
    """Sound of so many blocks of a renderer, (2, blocks * period)."""
    calls = -(-blocks // renderer.blocks_per_call)
    parts = [renderer.render(index) for index in range(calls)]
    return np.concatenate(parts, axis=1)[:, : blocks * PERIOD_FRAMES]


def difference_from(peer: Renderer, expected: FloatArray) -> float:
    """Largest difference of a peer's output, relative to the loudest sample expected."""
    heard = rendered(peer, COMPARED_BLOCKS)
    return float(np.abs(heard - expected).max() / np.abs(expected).max())


def _block_us(renderer: Renderer, slice_s: float) -> float:
    return call_us(renderer.render, slice_s) / renderer.blocks_per_call

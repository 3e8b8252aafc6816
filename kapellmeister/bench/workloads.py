"""Processor time of the workloads, and our rendering beside that of others."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from controller.sensors.cpu import MachineSensor
from controller.sound import SoundBank, synthesise_sounds
from controller.workloads.arrays import FloatArray
from controller.workloads.backends import numpy_backend
from controller.workloads.fft import SpectralAnalysis
from controller.workloads.filters import BiquadCascade
from controller.workloads.hrir import HrirSet
from controller.workloads.hrtf import HrtfRenderer
from controller.workloads.spectrogram import Spectrogram
from controller.workloads.visualisation import Visualisation
from controller.workloads.workload import Workload, WorkloadSettings
from kapellmeister.bench.convolution_peers import (
    FftconvolveBatched,
    FftconvolvePerStream,
    Kapellmeister,
    PedalboardPerStream,
    Renderer,
    WholeSignal,
)
from kapellmeister.bench.goal import at_least
from kapellmeister.bench.spread import Spread
from kapellmeister.figures import Figures
from kapellmeister.machine.description import Machine, describe_machine
from kapellmeister.terminal.words import figure
from policies.observation import fresh

SAMPLE_RATE_HZ = 48_000
PERIOD_FRAMES = 256
PERIOD_US = 1e6 * PERIOD_FRAMES / SAMPLE_RATE_HZ
PEER_STREAMS, PEER_TAPS = 64, 2048
MANY_STREAMS = 256
SIGNAL_BLOCKS = 512
COMPARED_BLOCKS = 32
LARGEST_DIFFERENCE = 1e-4
"""Relative to the loudest sample: a peer that differs by more is not doing the same work."""

GOALS = {FftconvolvePerStream.name: 40.0, PedalboardPerStream.name: 12.0}


class PeerFigures(Figures):
    """A peer beside us: `block_us` for one block of all streams, `ratio` to ours, round by round.

    `difference` is the largest between its output and ours, relative to the loudest sample;
    where it is too large nothing is claimed. All are None for a peer that is not installed.
    """

    name: str
    remark: str | None
    difference: float | None
    block_us: Spread | None
    ratio: Spread | None
    goal: float | None


class CostFigures(Figures):
    """Processor time of one block of all streams on one thread, and its share of the period."""

    workload: str
    streams: int
    block_us: Spread
    period_share: Spread


class WorkloadsReport(Figures):
    """Medians and ranges of processor time over the rounds; `steal_share` of it meanwhile."""

    machine: Machine
    steal_share: float | None
    rounds: int
    sample_rate_hz: int
    period_frames: int
    streams: int
    taps: int
    ours_us: Spread
    peers: list[PeerFigures]
    costs: list[CostFigures]


def bench_workloads(rounds: int = 7, slice_s: float = 0.15) -> WorkloadsReport:
    """Compare with the peers (64 streams, 2048 taps), then time each workload on 256 streams.

    In each of the `rounds` all take a turn of at least `slice_s`, so that a disturbance of the
    machine falls on all alike. The outputs are compared before anything is timed.
    """
    sensor = MachineSensor()
    sensor.read()
    ours, peers = _compare_with_peers(rounds, slice_s)
    costs = _cost_of_each(rounds, slice_s)
    return WorkloadsReport(
        machine=describe_machine(),
        steal_share=fresh(sensor.read()["cpu.steal_share"]),
        rounds=rounds,
        sample_rate_hz=SAMPLE_RATE_HZ,
        period_frames=PERIOD_FRAMES,
        streams=PEER_STREAMS,
        taps=PEER_TAPS,
        ours_us=ours,
        peers=peers,
        costs=costs,
    )


def print_report(report: WorkloadsReport, console: Console) -> None:
    """Two tables: the peers beside the goals, and each workload's share of the period."""
    peers = Table("renderer", "us a block", "times ours", "goal", "difference", box=None)
    peers.add_row("kapellmeister", report.ours_us.words(".0f"), "", "", "")
    for peer in report.peers:
        peers.add_row(
            peer.name,
            escape(peer.remark or "") if peer.block_us is None else peer.block_us.words(".0f"),
            "" if peer.ratio is None else peer.ratio.words(".1f"),
            _goal(peer),
            "" if peer.difference is None else f"{peer.difference:.0e}",
        )
    costs = Table("workload", "streams", "us a block", "share of the period", box=None)
    for cost in report.costs:
        share = cost.period_share.words(".1%")
        costs.add_row(cost.workload, str(cost.streams), cost.block_us.words(".0f"), share)
    console.print(
        f"HRTF, {report.streams} streams, {report.taps} taps, blocks of {report.period_frames} at "
        f"{report.sample_rate_hz} Hz; processor time, median (range) of {report.rounds} rounds"
    )
    console.print(peers, costs, sep="\n\n")
    steal = figure(report.steal_share, ".2%", "unknown")
    console.print(f"\n{report.machine}; steal {steal}")


def _goal(peer: PeerFigures) -> str:
    if peer.goal is None:
        return ""
    return at_least(None if peer.ratio is None else peer.ratio.median, peer.goal)


def _compare_with_peers(rounds: int, slice_s: float) -> tuple[Spread, list[PeerFigures]]:
    inputs, hrirs = _inputs(PEER_STREAMS), _reverberant_room(PEER_STREAMS, PEER_TAPS)
    ours = Kapellmeister(inputs, hrirs)
    found, absent = _peers(inputs, hrirs)
    expected = _rendered(Kapellmeister(inputs, hrirs), COMPARED_BLOCKS)
    differences = [_difference(peer, expected) for peer in found]
    times_us = _interleaved([partial(_block_us, each, slice_s) for each in (ours, *found)], rounds)
    figures = [
        _peer_figures(peer.name, difference, times_us[0], theirs)
        for peer, difference, theirs in zip(found, differences, times_us[1:], strict=True)
    ]
    return Spread.of(times_us[0]), figures + absent


def _peers(inputs: FloatArray, hrirs: HrirSet) -> tuple[list[Renderer], list[PeerFigures]]:
    """Those that can be measured here, and a row for the one that may be absent."""
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


def _peer_figures(
    name: str, difference: float, ours_us: Sequence[float], theirs_us: Sequence[float]
) -> PeerFigures:
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


def _cost_of_each(rounds: int, slice_s: float) -> list[CostFigures]:
    blocks = _inputs(MANY_STREAMS)[:64]
    workloads = dict(_workloads())
    turns = [partial(_process_us, each, blocks, slice_s) for each in workloads.values()]
    return [
        CostFigures(
            workload=name,
            streams=MANY_STREAMS,
            block_us=Spread.of(times_us),
            period_share=Spread.of([time_us / PERIOD_US for time_us in times_us]),
        )
        for name, times_us in zip(workloads, _interleaved(turns, rounds), strict=True)
    ]


def _workloads() -> Iterator[tuple[str, Workload]]:
    backend = numpy_backend()
    for taps in (512, PEER_TAPS):
        hrirs = _reverberant_room(MANY_STREAMS, taps)
        settings = WorkloadSettings(
            SAMPLE_RATE_HZ, PERIOD_FRAMES, MANY_STREAMS, taps, hrirs, np.arange(MANY_STREAMS)
        )
        yield f"HRTF, {taps} taps", HrtfRenderer(settings, backend)
    settings = WorkloadSettings(SAMPLE_RATE_HZ, PERIOD_FRAMES, MANY_STREAMS)
    yield "four biquads", BiquadCascade(settings, backend)
    yield "spectral analysis", SpectralAnalysis(settings, backend)
    yield "spectrogram", Spectrogram(settings, backend)
    yield "visualisation", Visualisation(settings, backend)


def _inputs(streams: int) -> FloatArray:
    """Blocks of real sound, (blocks, streams, period), at hand so that fetching is not timed."""
    bank = SoundBank(synthesise_sounds(SAMPLE_RATE_HZ), PERIOD_FRAMES, streams)
    slots = np.arange(streams, dtype=np.intp)
    return np.stack([bank.gather(index, slots) for index in range(SIGNAL_BLOCKS)])


def _reverberant_room(directions: int, taps: int) -> HrirSet:
    """Decaying noise, different for each stream and ear, so that no tap is zero and none alike."""
    noise = np.random.default_rng(0).standard_normal((directions, 2, taps))
    responses = (noise * np.exp(-6.9 * np.arange(taps) / taps) / np.sqrt(taps)).astype(np.float32)
    angles = np.linspace(0.0, 360.0, directions, endpoint=False)
    return HrirSet("room", SAMPLE_RATE_HZ, angles, np.zeros(directions), responses)


def _rendered(renderer: Renderer, blocks: int) -> FloatArray:
    calls = -(-blocks // renderer.blocks_per_call)
    parts = [renderer.render(index) for index in range(calls)]
    return np.concatenate(parts, axis=1)[:, : blocks * PERIOD_FRAMES]


def _difference(peer: Renderer, expected: FloatArray) -> float:
    heard = _rendered(peer, COMPARED_BLOCKS)
    return float(np.abs(heard - expected).max() / np.abs(expected).max())


def _interleaved(turns: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Let each take its turn in every round: one list of times for each."""
    watched = track(range(rounds), "rounds", disable=not sys.stderr.isatty())
    taken = [[turn() for turn in turns] for _ in watched]
    return [list(times) for times in zip(*taken, strict=True)]


def _block_us(renderer: Renderer, slice_s: float) -> float:
    return _call_us(renderer.render, slice_s) / renderer.blocks_per_call


def _process_us(workload: Workload, blocks: FloatArray, slice_s: float) -> float:
    slots = np.arange(blocks.shape[1], dtype=np.intp)
    return _call_us(lambda index: workload.process(blocks[index % len(blocks)], slots), slice_s)


def _call_us(call: Callable[[int], object], slice_s: float) -> float:
    """Mean processor time of a call over at least `slice_s`, after one that warms the caches.

    Of the whole process, so that no peer hides work in threads; not wall time, which other
    programs on the machine would lengthen.
    """
    call(0)
    calls, begun = 0, time.process_time()
    while (passed := time.process_time() - begun) < slice_s or calls == 0:
        calls += 1
        call(calls)
    return 1e6 * passed / calls

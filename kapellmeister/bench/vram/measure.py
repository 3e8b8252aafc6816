"""The whole of `bench vram`: each trace is played to every allocator in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from controller.executors.vram.traces import AllocationTrace, replay
from controller.sensors.cpu import MachineSensor
from kapellmeister.bench.spread import Spread
from kapellmeister.bench.vram.figures import DayFigures, FillFigures, LatencyFigures, VramReport
from kapellmeister.bench.vram.loads import day, steady
from kapellmeister.bench.vram.pipeline import stages
from kapellmeister.bench.vram.subjects import PATIENT, SUBJECTS, State, Subject, arena, arena_state
from kapellmeister.bench.vram.timed import Timed, quantiles_us, without_collector
from kapellmeister.machine.description import describe_machine
from policies.observation import fresh

FILLS = (0.8, 0.9)
BLOCK_BYTES = (1 << 16, 1 << 17, 1 << 18)
MILLION = 1_000_000
Progress = Callable[[float], None]
Played = tuple[Timed[object], State]


def bench_vram(
    seeds: int, allocations: int, hours: float, progress: Progress, arena_bytes: int = 1 << 32
) -> VramReport:
    """Play fills of `allocations` for each seed, days of `hours` for half of them, and the rest."""
    sensor = MachineSensor()
    sensor.read()
    fills = [(fill, _fills(arena_bytes, fill, allocations, seeds)) for fill in FILLS]
    progress(0.5)
    days = _days(arena_bytes, hours, -(-seeds // 2))
    progress(0.8)
    trace = steady(arena_bytes, FILLS[0], allocations, seed=0)
    on_cpu = [_play(SUBJECTS[0], trace, arena_bytes, time.thread_time_ns) for _ in range(seeds)]
    progress(0.9)
    return VramReport(
        machine=describe_machine(),
        steal_share=fresh(sensor.read()["cpu.steal_share"]),
        arena_bytes=arena_bytes,
        seeds=seeds,
        allocations=allocations,
        fills=tuple(_fill_figures(fill, *each) for fill, found in fills for each in found),
        days=tuple(_day_figures(subject, played) for subject, played in days),
        cpu_allocate=_latency([timed.allocate_ns for timed, _ in on_cpu]),
        cpu_free=_latency([timed.free_ns for timed, _ in on_cpu]),
        blocks={size: _internal(trace, arena_bytes, size) for size in BLOCK_BYTES},
        million_s=Spread.of([_million_s(trace, arena_bytes) for _ in range(seeds)]),
        three_stages={each.name: _refused(each, arena_bytes) for each in (PATIENT, *SUBJECTS)},
    )


def _fills(
    arena_bytes: int, fill: float, allocations: int, seeds: int
) -> list[tuple[Subject, int, list[Played]]]:
    """Every allocator with how many allocations are live, and what it did for each seed."""
    traces = (steady(arena_bytes, fill, allocations, seed) for seed in range(seeds))
    live = sum(1 if size else -1 for _, size, _ in steady(arena_bytes, fill, allocations, seed=0))
    return [(subject, live, played) for subject, played in _in_turn(traces, arena_bytes)]


def _days(arena_bytes: int, hours: float, seeds: int) -> Iterator[tuple[Subject, list[Played]]]:
    return _in_turn((day(arena_bytes, seed, hours) for seed in range(seeds)), arena_bytes)


def _in_turn(
    traces: Iterable[AllocationTrace], arena_bytes: int
) -> Iterator[tuple[Subject, list[Played]]]:
    """Each trace to every allocator before the next trace."""
    rounds = [[_play(each, trace, arena_bytes) for each in SUBJECTS] for trace in traces]
    return zip(SUBJECTS, map(list, zip(*rounds, strict=True)), strict=True)


def _play(
    subject: Subject,
    trace: AllocationTrace,
    arena_bytes: int,
    now_ns: Callable[[], int] = time.perf_counter_ns,
) -> Played:
    allocator = subject.make(arena_bytes)
    timed: Timed[object] = Timed(allocator, now_ns)
    with without_collector():
        replay(trace, timed)
    return timed, subject.state(allocator)


def _fill_figures(
    fill: float, subject: Subject, live: int, played: Sequence[Played]
) -> FillFigures:
    return FillFigures(
        allocator=subject.name,
        fill=fill,
        live=live,
        refused_share=Spread.of([timed.refused_share for timed, _ in played]),
        internal_fragmentation=Spread.of([state.internal_fragmentation for _, state in played]),
        moved_gib=Spread.of([state.moved_gib for _, state in played]),
        allocate=_latency([timed.allocate_ns for timed, _ in played]),
        free=_latency([timed.free_ns for timed, _ in played]),
    )


def _day_figures(subject: Subject, played: Sequence[Played]) -> DayFigures:
    return DayFigures(
        allocator=subject.name,
        allocations=sum(len(timed.allocate_ns) for timed, _ in played),
        full=sum(timed.refused["full"] for timed, _ in played),
        refused_share=Spread.of([timed.refused_share for timed, _ in played]),
        moved_gib=Spread.of([state.moved_gib for _, state in played]),
        passes=Spread.of([float(state.passes) for _, state in played]),
        pass_ms=Spread.of([state.pass_ms for _, state in played]),
    )


def _latency(rounds: Sequence[Sequence[int]]) -> LatencyFigures:
    p50, p99, p999, longest = zip(*map(quantiles_us, rounds), strict=True)
    return LatencyFigures(
        p50_us=Spread.of(p50),
        p99_us=Spread.of(p99),
        p999_us=Spread.of(p999),
        longest_us=Spread.of(longest),
    )


def _internal(trace: AllocationTrace, arena_bytes: int, block_bytes: int) -> float:
    manager = arena(arena_bytes, block_bytes)
    replay(trace, manager)
    return arena_state(manager).internal_fragmentation


def _million_s(trace: AllocationTrace, arena_bytes: int) -> float:
    """Seconds of a million operations, from those of the trace."""
    manager, started_s = arena(arena_bytes), time.perf_counter()
    replay(trace, manager)
    return (time.perf_counter() - started_s) * MILLION / len(trace)


def _refused(subject: Subject, arena_bytes: int) -> int:
    """Buffers of the three stages that it refused."""
    return len(replay(stages(arena_bytes), subject.make(arena_bytes)))

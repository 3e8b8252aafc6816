"""A plant that exists only in numbers, and behaves like a live one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import cast

from policies.knobs import (
    AnyThreadClasses,
    Bounds,
    Choice,
    Knob,
    KnobValue,
    Settings,
    ThreadClasses,
)
from policies.latency import Calibration
from policies.observation import BlockCounts, Missing, Observation, Reading, Value
from policies.proposal import Refusal
from simulators.levels.device_memory import Memory
from simulators.levels.draws import uniform
from simulators.levels.level import Work
from simulators.loads.path import Load
from simulators.plant.conditions import Conditions
from simulators.plant.faults import Schedule
from simulators.plant.nodes import Cluster, Node, StartLaw
from simulators.plant.service import NO_PERFORMANCE, Groups, Performance, Server

BATCH_SIZES = (8, 16, 32, 64, 128, 256)
VRAM_BLOCK_BYTES = tuple(1 << k for k in range(14, 23))
CONTENTION, TELEMETRY = -1, -2
"""What a draw is for: no two kinds of noise share their draws."""
NOBODY = Groups()
NO_BLOCKS = BlockCounts()
GAP = Missing("a gap in the trace")
NO_SUCH_KNOB = "this pipeline has no such knob"
Counts = tuple[int, int, int, int]
"""Of the nodes with a stream more than the others those in the quiet and in the contended
regime, then of the others."""


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated beside the load: the pipeline, its cluster, its telemetry, its faults.

    `knobs` names those that the controller may turn; None stands for all that the pipeline
    has. `telemetry_delay` counts whole control intervals; `telemetry_loss` is the share of
    intervals whose report never arrives.
    """

    calibration: Calibration
    nodes: int
    nodes_max: int
    start_law: StartLaw
    start_s: float
    seed: int
    batch_size: int
    vram_block_bytes: int = 1 << 17
    knobs: tuple[str, ...] | None = None
    faults: Schedule = field(default_factory=Schedule)
    telemetry_delay: int = 0
    telemetry_loss: float = 0.0


@dataclass(slots=True)
class Truth:
    """What really happened in a step, whatever the telemetry says of it.

    Not frozen, since there is one a step and freezing would cost more than all else of it.
    """

    streams: int = 0
    ready: int = 0
    paid: int = 0
    batch_size: int = 0
    periods: int = 0
    counts: BlockCounts = NO_BLOCKS
    performance: Performance = NO_PERFORMANCE
    memory: Memory | None = None


class SimulatedPlant:
    """Serves a load, one step each time that it is observed."""

    name = "simulated"

    def __init__(self, world: World, load: Load, server: Server) -> None:
        self._world = world
        self._load = load
        self._server = server
        self._cluster = Cluster(world.nodes, world.start_law)
        self._found: dict[str, KnobValue] = {
            "nodes": world.nodes,
            "batch_size": world.batch_size,
            "thread_classes": ThreadClasses(),
            "vram_block_bytes": world.vram_block_bytes,
        }
        self._batch_size = world.batch_size
        self._values = dict(self._found)
        self._knobs = MappingProxyType(dict(_knobs(world)))
        self._settings = self._sum_up()
        self._groups: dict[tuple[int, Counts, float, float], Groups] = {}
        self._step = 0
        self._period = self._periods_until(load.begin_s)
        self._reports: deque[Observation] = deque(maxlen=world.telemetry_delay + 1)
        self._sound_report: Observation | None = None
        self.last = Truth()

    def knobs(self) -> Mapping[str, Knob]:
        """Those of the pipeline that may be turned."""
        return self._knobs

    def observe(self) -> Observation:
        """Serve the step that ends now, and report it as the telemetry does."""
        begun_s = self._now_s
        ended_s = begun_s + self._load.step_s
        conditions = Conditions.of(self._world.faults, begun_s, ended_s)
        for index in conditions.deaths:
            self._cluster.kill(index, begun_s)
        self.last = self._serve(begun_s, ended_s, conditions)
        seen = self._seen(ended_s, conditions)
        self._step += 1
        return self._reported(seen, conditions)

    def in_force(self) -> Settings:
        """What the plant has in force, of the knobs that it has."""
        return self._settings

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Ask for a value; nodes take their time."""
        if knob not in self._knobs:
            return Refusal(knob, NO_SUCH_KNOB)
        if not self._knobs[knob].domain.allows(value):
            return Refusal(knob, f"{value} is not allowed: {self._knobs[knob].domain}")
        if knob == "nodes" and isinstance(value, int):
            self._cluster.ask(value, self._now_s)
        else:
            self._set(knob, value)
        return None

    def restore(self, knob: str) -> Refusal | None:
        """Put back what the simulation began with."""
        if knob not in self._knobs:
            return Refusal(knob, NO_SUCH_KNOB)
        return self.apply(knob, self._found[knob])

    def finished(self) -> bool:
        """Whether the load has come to its end."""
        return self._step >= self._load.streams.size

    def close(self) -> None:
        """Nothing outlives a simulation."""

    def _set(self, knob: str, value: KnobValue) -> None:
        if value != self._values[knob]:
            self._values[knob] = value
            self._settings = self._sum_up()
            if knob != "nodes":
                self._batch_size = cast(int, self._values["batch_size"])
                self._groups.clear()

    def _sum_up(self) -> Settings:
        return Settings.of({knob: self._values[knob] for knob in self._knobs})

    @property
    def _now_s(self) -> float:
        return self._load.begin_s + self._step * self._load.step_s

    def _serve(self, begun_s: float, ended_s: float, conditions: Conditions) -> Truth:
        streams = int(self._load.streams[self._step])
        serving = self._cluster.serving(begun_s)
        first, self._period = self._period, self._periods_until(ended_s)
        periods = self._period - first
        memory = self._memory(streams, len(serving), conditions)
        placed = streams if serving else 0
        if memory is not None:
            placed = min(streams, memory.fitting * len(serving))
        groups, ordered = self._shared(placed, serving, begun_s, conditions)
        blocks, missed, performance = self._server.serve(
            groups, ordered, periods, first, self._world.seed
        )
        cut_off = round((blocks - missed) * conditions.lost_share)
        lost = (streams - placed) * periods + cut_off
        self._set("nodes", self._cluster.reached(ended_s))
        return Truth(
            streams=streams,
            ready=len(serving),
            paid=self._cluster.paid(begun_s),
            batch_size=self._batch_size,
            periods=periods,
            counts=BlockCounts(blocks - cut_off - missed, missed, 0, lost),
            performance=performance,
            memory=memory,
        )

    def _periods_until(self, time_s: float) -> int:
        return int(1000.0 * time_s / self._world.calibration.period_ms + 1e-9)

    def _shared(
        self, streams: int, serving: Sequence[Node], now_s: float, conditions: Conditions
    ) -> tuple[Groups, Sequence[Node]]:
        """Streams spread evenly; nodes with the same streams in the same regime together."""
        if not streams:
            return NOBODY, ()
        each, more = divmod(streams, len(serving))
        if conditions.noisy_neighbour:
            return self._grouped(each, (0, more, 0, len(serving) - more), conditions), serving
        if self._world.calibration.contended_share <= 0.0:
            return self._grouped(each, (more, 0, len(serving) - more, 0), conditions), serving
        fuller, others = (
            self._by_regime(nodes, now_s) for nodes in (serving[:more], serving[more:])
        )
        counts = len(fuller[0]), len(fuller[1]), len(others[0]), len(others[1])
        return self._grouped(each, counts, conditions), list(chain(*fuller, *others))

    def _by_regime(self, nodes: Sequence[Node], now_s: float) -> tuple[list[Node], list[Node]]:
        """The quiet ones, and the contended."""
        quiet, contended = list[Node](), list[Node]()
        for node in nodes:
            (contended if self._is_contended(node, now_s) else quiet).append(node)
        return quiet, contended

    def _grouped(self, each: int, counts: Counts, conditions: Conditions) -> Groups:
        """The groups of so many nodes; worked out once."""
        key = each, counts, conditions.slowdown, conditions.link_factor
        groups = self._groups.get(key)
        if groups is None:
            held = (each + 1, False), (each + 1, True), (each, False), (each, True)
            nodes = sum(counts)
            groups = self._groups[key] = Groups(
                tuple(
                    (self._work(streams, nodes, conditions, contended=contended), count)
                    for (streams, contended), count in zip(held, counts, strict=True)
                    if count
                )
            )
        return groups

    def _is_contended(self, node: Node, now_s: float) -> bool:
        """Spells of the mean length, each contended or not by a draw of its own."""
        calibration = self._world.calibration
        spell = int(now_s / calibration.contended_mean_s)
        draw = uniform(self._world.seed, node.number, spell, CONTENTION)
        return bool(draw < calibration.contended_share)

    def _work(self, streams: int, nodes: int, conditions: Conditions, *, contended: bool) -> Work:
        classes = self._values["thread_classes"]
        if not isinstance(classes, ThreadClasses):
            raise TypeError(f"thread_classes holds {classes!r}")
        return Work(
            streams=streams,
            batch_size=self._batch_size,
            vram_block_bytes=cast(int, self._values["vram_block_bytes"]),
            scheduling=classes.audio.scheduling,
            contended=contended,
            slowdown=conditions.slowdown,
            link_factor=conditions.link_factor,
            nodes=nodes if self._world.calibration.link is not None else 1,
        )

    def _memory(self, streams: int, nodes: int, conditions: Conditions) -> Memory | None:
        """Of the fullest node; None where the pipeline has no device memory."""
        transfer = self._world.calibration.transfer
        if transfer is None or not nodes:
            return None
        block_bytes = cast(int, self._values["vram_block_bytes"])
        available = 1.0 - conditions.memory_gone
        return Memory.of(transfer, math.ceil(streams / nodes), block_bytes, available)

    def _seen(self, ended_s: float, conditions: Conditions) -> Observation:
        """What perfect telemetry would report."""
        truth, known = self.last, bool(self._load.known[self._step])
        return Observation(
            time_s=ended_s + conditions.clock_offset_s,
            interval_s=self._load.step_s,
            load=_count(truth.streams) if known else GAP,
            blocks=truth.counts if known else None,
            latency=truth.performance.latency,
            readings=MappingProxyType(self._readings(truth)),
        )

    def _readings(self, truth: Truth) -> dict[str, Reading]:
        readings: dict[str, Reading] = {
            "nodes.ready": _count(truth.ready),
            "nodes.starting": _count(max(0, self._cluster.wanted - truth.ready)),
            "nodes.utilisation": truth.performance.utilisation,
            "audio.utilisation": truth.performance.busiest,
        }
        if truth.memory is not None:
            arrivals = truth.streams
            readings["gpu.memory_used_bytes"] = Value(float(truth.memory.used_bytes))
            readings["gpu.fragmentation_share"] = Value(truth.memory.fragmentation)
            readings["gpu.allocation_wait_us"] = Value(truth.memory.reservation_us() * arrivals)
        return readings

    def _reported(self, seen: Observation, conditions: Conditions) -> Observation:
        """What telemetry makes of it: late, lost, or distorted by a fault."""
        self._reports.append(seen)
        report = self._reports[0]
        if len(self._reports) <= self._world.telemetry_delay:
            report = Observation(seen.time_s, seen.interval_s, Missing("no report has arrived yet"))
        loss = self._world.telemetry_loss
        if loss > 0.0 and uniform(self._world.seed, 0, self._step, TELEMETRY) < loss:
            report = Observation(
                report.time_s, report.interval_s, Missing("the report was lost on its way")
            )
        if conditions.telemetry is None:
            self._sound_report = report
        return conditions.distort(report, self._sound_report)


@lru_cache(maxsize=4096)
def _count(number: int) -> Value:
    """A reading that counts something; the same few come again and again."""
    return Value(float(number))


def available_knobs(calibration: Calibration) -> tuple[str, ...]:
    """The knobs that a pipeline has: those of the stages that it has."""
    stages = (("thread_classes", calibration.post), ("vram_block_bytes", calibration.transfer))
    return ("nodes", "batch_size", *(knob for knob, stage in stages if stage is not None))


def _knobs(world: World) -> Iterator[tuple[str, Knob]]:
    """The knobs that the pipeline has and the controller may turn."""
    bounds = Bounds(1, world.nodes_max, step=world.nodes_max)
    known = {
        "nodes": Knob("nodes", bounds, "nodes", delay_s=world.start_s),
        "batch_size": Knob("batch_size", Choice(BATCH_SIZES), "gpu"),
        "thread_classes": Knob("thread_classes", AnyThreadClasses(), "cpu"),
        "vram_block_bytes": Knob("vram_block_bytes", Choice(VRAM_BLOCK_BYTES), "memory"),
    }
    for knob in available_knobs(world.calibration):
        if world.knobs is None or knob in world.knobs:
            yield knob, known[knob]

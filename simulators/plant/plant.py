"""A plant that exists only in numbers, and behaves like a live one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import cast

from policies.knobs import Knob, KnobValue, Settings, ThreadClasses
from policies.latency import Calibration
from policies.observation import BlockCounts, Observation, Reading, Value, fresh
from policies.proposal import Refusal
from simulators.levels.device_memory import DeviceMemory
from simulators.levels.level import Work
from simulators.loads.load_path import GAP, Load
from simulators.plant.conditions import Conditions
from simulators.plant.device_readings import batch_readings, device_memory_readings
from simulators.plant.faults import Schedule
from simulators.plant.knobs import make_knobs
from simulators.plant.nodes import Cluster, StartLaw
from simulators.plant.placement import Placement
from simulators.plant.service import NO_PERFORMANCE, Performance, Server
from simulators.plant.telemetry import Telemetry

NO_BLOCKS = BlockCounts()
NO_SUCH_KNOB = "this pipeline has no such knob"


@dataclass(frozen=True, slots=True)
class PlantSpec:
    """The plant beside its load: the pipeline, its cluster, its telemetry, its faults.

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
    """A step as it really was, whatever the telemetry says of it.

    Not frozen, since there is one a step and freezing would cost more than all else of it.
    """

    streams: int = 0
    ready: int = 0
    paid: int = 0
    batch_size: int = 0
    periods: int = 0
    counts: BlockCounts = NO_BLOCKS
    performance: Performance = NO_PERFORMANCE
    device_memory: DeviceMemory | None = None


class SimulatedPlant:
    """Serves a load, one step each time that it is observed."""

    name = "simulated"

    def __init__(self, spec: PlantSpec, load: Load, server: Server) -> None:
        self._spec = spec
        self._load = load
        self._server = server
        self._cluster = Cluster(spec.nodes, spec.start_law)
        self._found: dict[str, KnobValue] = {
            "nodes": spec.nodes,
            "batch_size": spec.batch_size,
            "thread_classes": ThreadClasses(),
            "vram_block_bytes": spec.vram_block_bytes,
        }
        self._batch_size = spec.batch_size
        self._values = dict(self._found)
        self._knobs = make_knobs(spec.calibration, spec.nodes_max, spec.start_s, spec.knobs)
        self._settings = self._sum_up()
        self._placement = Placement(spec.calibration, spec.seed, self._work())
        self._step = 0
        self._period = self._periods_until(load.begin_s)
        self._telemetry = Telemetry(spec.telemetry_delay, spec.telemetry_loss, spec.seed)
        self.last = Truth()

    def knobs(self) -> Mapping[str, Knob]:
        """The knobs of the pipeline that may be turned."""
        return self._knobs

    def observe(self) -> Observation:
        """Serve the step that ends now, and report it as the telemetry does."""
        begun_s = self._now_s
        ended_s = begun_s + self._load.step_s
        conditions = Conditions.of(self._spec.faults, begun_s, ended_s)
        for index in conditions.deaths:
            self._cluster.kill(index, begun_s)
        self.last = self._serve(begun_s, ended_s, conditions)
        seen = self._seen(ended_s, conditions)
        self._step += 1
        return self._telemetry.report(seen, self._step, conditions)

    def in_force(self) -> Settings:
        """The settings in force, of the knobs that the plant has."""
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
        """Ask for the value that the simulation began with."""
        if knob not in self._knobs:
            return Refusal(knob, NO_SUCH_KNOB)
        return self.apply(knob, self._found[knob])

    def finished(self) -> bool:
        """Whether the load has come to its end."""
        return self._step >= self._load.streams.size

    def close(self) -> None:
        """Do nothing: nothing outlives a simulation."""

    def _set(self, knob: str, value: KnobValue) -> None:
        if value != self._values[knob]:
            self._values[knob] = value
            self._settings = self._sum_up()
            if knob != "nodes":
                self._batch_size = cast(int, self._values["batch_size"])
                self._placement.use(self._work())

    def _sum_up(self) -> Settings:
        return Settings.of({knob: self._values[knob] for knob in self._knobs})

    def _work(self) -> Work:
        """The work of one stream on a node that nothing disturbs, under the knobs in force."""
        classes = self._values["thread_classes"]
        if not isinstance(classes, ThreadClasses):
            raise TypeError(f"thread_classes holds {classes!r}")
        block_bytes = cast(int, self._values["vram_block_bytes"])
        return Work(1, self._batch_size, block_bytes, classes.audio.scheduling)

    @property
    def _now_s(self) -> float:
        return self._load.begin_s + self._step * self._load.step_s

    def _serve(self, begun_s: float, ended_s: float, conditions: Conditions) -> Truth:
        streams = int(self._load.streams[self._step])
        serving = self._cluster.serving(begun_s)
        first, self._period = self._period, self._periods_until(ended_s)
        periods = self._period - first
        memory = self._device_memory(streams, len(serving), conditions)
        placed = streams if serving else 0
        if memory is not None:
            placed = min(streams, memory.fitting * len(serving))
        groups, ordered = self._placement.placed(placed, serving, begun_s, conditions)
        blocks, missed, performance = self._server.serve(
            groups, ordered, periods, first, self._spec.seed
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
            device_memory=memory,
        )

    def _periods_until(self, time_s: float) -> int:
        return int(1000.0 * time_s / self._spec.calibration.period_ms + 1e-9)

    def _device_memory(
        self, streams: int, nodes: int, conditions: Conditions
    ) -> DeviceMemory | None:
        """The memory of the fullest node; None where the pipeline has no device memory."""
        transfer = self._spec.calibration.transfer
        if transfer is None or not nodes:
            return None
        block_bytes = cast(int, self._values["vram_block_bytes"])
        available = 1.0 - conditions.memory_gone
        return DeviceMemory.of(transfer, math.ceil(streams / nodes), block_bytes, available)

    def _seen(self, ended_s: float, conditions: Conditions) -> Observation:
        """The report of perfect telemetry."""
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
        return readings | self._device_readings(truth)

    def _device_readings(self, truth: Truth) -> dict[str, Reading]:
        """Readings of the fullest node's device; none where the pipeline has no device."""
        transfer, memory = self._spec.calibration.transfer, truth.device_memory
        if transfer is None or memory is None:
            return {}
        block_bytes, busy = (
            cast(int, self._values["vram_block_bytes"]),
            fresh(truth.performance.busiest),
        )
        batches = batch_readings(
            transfer,
            memory.fitting,
            truth.batch_size,
            block_bytes,
            self._spec.calibration.period_ms,
            busy or 0.0,
        )
        return device_memory_readings(memory, truth.streams, truth.ready) | batches


@lru_cache(maxsize=4096)
def _count(number: int) -> Value:
    """A reading that counts something; the same few come again and again."""
    return Value(float(number))

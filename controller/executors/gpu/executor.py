"""The GPU executor: a worker process that has the device, CPU workers for what it cannot take."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from controller.errors import ExecutorError
from controller.executors.batch import FinishedBatches
from controller.executors.cpu.ring import Ring
from controller.executors.executor import ExecutorSettings, Placement, Process, Task, refused
from controller.executors.gpu.batches.gpu_pipeline import GpuPipeline
from controller.executors.gpu.batches.layout import bucket
from controller.executors.gpu.board import Board
from controller.executors.gpu.device_worker import DeviceWorker, Run
from controller.executors.gpu.devices.device import Device
from controller.executors.gpu.fallback import CpuFallback
from controller.executors.gpu.heartbeat import Heartbeat
from controller.executors.gpu.opening import open_pipeline
from controller.executors.gpu.placement import YIELDED, Room, placed
from controller.executors.gpu.readings import BoardReadings
from controller.executors.gpu.start_line import StartLine
from controller.executors.gpu.worker import GpuWorker
from controller.executors.gpu.workloads.catalogue import batched
from controller.executors.processes import ProcessGroup
from controller.executors.shards.ownership import Ownership
from controller.executors.shards.takeover import Takeover, Takeovers
from controller.executors.start_values import replacements
from controller.executors.stream_table import NOBODY, Assignment, StreamTable
from controller.executors.timetable import Timetable
from policies.knobs import Choice, Knob, KnobValue, Settings
from policies.observation import Reading, Value
from policies.proposal import Refusal

BATCH_SIZES = tuple(1 << k for k in range(3, 13))
"""Streams in a batch, as a controller may choose them."""
BLOCK_BYTES = tuple(1 << k for k in range(14, 23))
"""Bytes in a block of device memory, as a controller may choose them."""
RING_ENTRIES = 2048
CHANGE_LEAD_S = 0.15
"""Seconds of notice that workers get of a new assignment."""
DEVICE = 1
"""Number of the shard that the device renders; those after it are for the CPU workers."""


class GpuExecutor:
    """Renders on one device; CPU workers take what has no room there, or all when it is gone.

    Then one of them takes the device's shard over at once, and its streams are spread over all.
    What neither can carry has yielded: its blocks are lost, and counted as that. The device is
    opened when the executor is made, in its worker; raises ExecutorError where that fails.
    """

    def __init__(
        self, name: str, settings: ExecutorSettings, open_device: Callable[[], Device]
    ) -> None:
        self.name = name
        self._settings = settings
        self._open_device = open_device
        self._values = self._start_values()
        self.table = StreamTable(settings.slots, self._values["batch_size"])
        self._wanted: NDArray[np.int16] = np.full(settings.slots, NOBODY, np.int16)
        self._announced = self.table.latest()
        self._timetable: Timetable | None = None
        self._numbers = itertools.count(1)
        self._processes = ProcessGroup()
        self._board, self._start_line = Board(), StartLine()
        self._board.write(block_bytes_wanted=self._values["vram_block_bytes"])
        self._readings = BoardReadings(self._board)
        nodes = min(os.cpu_count() or 1, settings.limits.get("nodes", 4))
        shards = range(DEVICE + 1, DEVICE + 1 + nodes)
        self._ownership = Ownership(shards[-1])
        self._takeovers = Takeovers(self._ownership)
        given = self.table, self._ownership, self._processes, shards, self._count
        self._fallback = CpuFallback(settings, *given)
        self._workload = batched(settings.workload, settings.workload_settings, name)
        ring = Ring(RING_ENTRIES, settings.period_frames)
        heartbeat = Heartbeat(partial(self._board.count, "beats"))
        self._device = DeviceWorker(
            name, ring, self._processes, partial(self._device_run, ring), heartbeat
        )
        self._open()

    @property
    def is_ready(self) -> bool:
        """Whether all are at work that should be; a device that was lost is not waited for."""
        is_started = self._timetable is not None
        return is_started and self._fallback.is_ready and not self._device.is_starting

    def start(self, timetable: Timetable) -> None:
        """Let the device's worker go, and start the others."""
        self._timetable = timetable
        self._start_line.tell(timetable)
        self._fallback.start(self._numbers, timetable)

    def knobs(self) -> Mapping[str, Knob]:
        """Streams per batch, and bytes per block of device memory."""
        return {
            "batch_size": Knob("batch_size", Choice(self._batch_sizes), "gpu", 0.4, 2.0),
            "vram_block_bytes": Knob("vram_block_bytes", Choice(BLOCK_BYTES), "memory", 0.4, 2.0),
        }

    def in_force(self) -> Settings:
        """The batch size as announced last, and the block size that the worker tells."""
        told = self._board.count("block_bytes") or self._values["vram_block_bytes"]
        return Settings.of({"batch_size": self._announced.batch_size, "vram_block_bytes": told})

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Take note; blocks of the former size are used up by the streams that have them."""
        if (refusal := refused(self.knobs(), knob, value)) is not None:
            return refusal
        self._values[knob] = cast(int, value)
        self._board.write(block_bytes_wanted=self._values["vram_block_bytes"])
        return None

    def readings(self) -> Mapping[str, Reading]:
        """The figures of the device's worker, who carries how many streams, and what was lost."""
        on_device = self._count(DEVICE)
        yielded = self._count(YIELDED)
        on_cpu = int(np.count_nonzero(self._wanted != NOBODY)) - on_device - yielded
        streams = {"streams": on_device, "streams_on_cpu": on_cpu, "streams_yielded": yielded}
        told = {f"gpu.{name}": Value(float(count)) for name, count in streams.items()}
        at_work = self._readings.read(is_at_work=self._device.is_at_work)
        return {**at_work, **told, **self._takeovers.readings()}

    def schedule_task(self, task: Task) -> Placement:
        """Put a stream into the first shard with room for it, or start a process."""
        if task.run is not None:
            return Placement(None, self._processes.start(task.name, task.work_class, task.run))
        if task.slot is None or not 0 <= task.slot < self._settings.slots:
            why = f"task {task.name} names no slot that exists"
            raise ExecutorError(self.name, why, f"give a slot below {self._settings.slots}")
        rooms = self._rooms()
        if not rooms:
            why = f"no worker takes {task.name}"
            raise ExecutorError(self.name, why, "wait until the executor is ready")
        free = (room.shard for room in rooms if self._count(room.shard) < room.streams)
        self._wanted[task.slot] = shard = next(free, YIELDED)
        return Placement(shard, None)

    def release(self, slot: int) -> None:
        """Take a stream out of its shard."""
        self._wanted[slot] = NOBODY

    def advance(self) -> Assignment | None:
        """Replace who has ended, place every stream, and announce it once the last is in force."""
        if self._timetable is None:
            return None
        self._fallback.start(self._numbers, self._timetable)
        self._device.retry(self._numbers)
        block = self._timetable.capturing(time.monotonic_ns())
        self._staff(block)
        rooms = self._rooms()
        is_pending = self._announced.version > 0 and block <= self._announced.from_block
        if not rooms or is_pending:
            return None
        self._wanted = placed(self._wanted, rooms)
        return self._announce(block, self._timetable)

    def read(self) -> list[FinishedBatches]:
        """Batches that each worker has finished since the last call."""
        if self._timetable is None:
            return []
        return [*self._device.read(), *self._fallback.read()]

    def descriptors(self) -> tuple[int, ...]:
        """One for each process, readable when it has ended, and one for workers that are behind."""
        return (*self._processes.descriptors(), *self._fallback.descriptors())

    def reap(self) -> tuple[Process, ...]:
        """Processes that have died; shards of those and of frozen workers go to others."""
        ended, device = self._processes.reap(), self._device.number
        lost = [device] if self._device.bury(ended) else []
        if lost:
            self._board.clear()
        if self._timetable is not None:
            lost += self._frozen_device(self._timetable)
            lost += self._fallback.lost(ended, self._timetable)
            self._replace(lost, self._timetable)
        return ended

    def takeovers(self) -> tuple[Takeover, ...]:
        """Shards of lost workers that others have caught up with since the last call."""
        return self._takeovers.done()

    def processes(self) -> Mapping[str, tuple[int, ...]]:
        """Process ids by class of work."""
        return self._processes.by_class()

    def close(self) -> None:
        """End every process; the memory of the device ends with its worker."""
        self._timetable = None
        self._fallback.close()
        self._processes.stop_all()

    @property
    def _batch_sizes(self) -> tuple[int, ...]:
        """Sizes up to the first that holds all streams."""
        return tuple(size for size in BATCH_SIZES if size <= bucket(self._settings.slots))

    def _start_values(self) -> dict[str, int]:
        """The nearest that each knob can have to what is configured."""
        values: dict[str, KnobValue] = {
            "batch_size": self._batch_sizes[-1],
            "vram_block_bytes": self._settings.vram.block_bytes,
        }
        values |= {name: value for name, value in self._settings.knobs.items() if name in values}
        values |= replacements(self.knobs(), values)
        return {name: cast(int, value) for name, value in values.items()}

    def _rooms(self) -> list[Room]:
        """Shards that have a worker, and how many streams: the device before the processors."""
        rooms = self._fallback.rooms() if self._timetable is not None else []
        if self._timetable is not None and self._device.is_at_work:
            rooms.insert(0, Room(DEVICE, self._board.count("capacity")))
        return rooms

    def _frozen_device(self, timetable: Timetable) -> list[int]:
        """The worker of the device if it stands still or hangs, in which case it is killed."""
        if self._device.stands_still(timetable.due(time.monotonic_ns())):
            self._device.kill()
            return [self._device.number]
        return [self._device.number] if self._device.end_if_hung() else []

    def _replace(self, lost: Collection[int], timetable: Timetable) -> None:
        """Have the shards of lost workers rendered by CPU workers, from now on."""
        now_ns = time.monotonic_ns()
        if lost and self._takeovers.orphan(lost, self._in_use(), now_ns):
            self._staff(timetable.capturing(now_ns))

    def _staff(self, block: int) -> None:
        """Give the device its shard once it is at work, and CPU workers all others."""
        ownership, number = self._ownership, self._device.number
        if self._device.is_at_work and ownership.owner(DEVICE) == NOBODY:
            ownership.begin(DEVICE, number, block)
        elif self._device.is_at_work and ownership.owner(DEVICE) != number:
            ownership.give(DEVICE, number)
        self._fallback.staff(self._takeovers.waiting(), block)

    def _in_use(self) -> frozenset[int]:
        """Shards with a stream that is to be heard, as announced or as wanted."""
        named = np.unique([self._announced.shards, self._wanted]).tolist()
        return frozenset(named) - {NOBODY, YIELDED}

    def _announce(self, block: int, timetable: Timetable) -> Assignment | None:
        size = self._values["batch_size"]
        same = np.array_equal(self._wanted, self._announced.shards)
        if same and size == self._announced.batch_size:
            return None
        lead = int(CHANGE_LEAD_S * 1e9 / timetable.period_ns) + self._fallback.memory_blocks
        self._announced = self.table.publish(block + lead + 2, size, self._wanted)
        return self._announced

    def _count(self, shard: int) -> int:
        return int(np.count_nonzero(self._wanted == shard))

    def _open(self) -> None:
        try:
            self._device.open(next(self._numbers))
        except ExecutorError:
            self._processes.stop_all()
            raise

    def _device_run(self, ring: Ring, number: int) -> Run:
        """What the worker of that number does in its own process."""

        def run(opened: Callable[[], None]) -> None:
            pipeline = self._opened_pipeline()
            opened()
            worker = GpuWorker(
                number,
                pipeline,
                self._workload.memory_blocks,
                self._settings.inputs,
                self.table,
                self._ownership,
                ring,
                self._start_line.wait(),
                self._board,
            )
            worker.run()

        return run

    def _opened_pipeline(self) -> GpuPipeline:
        return open_pipeline(
            self._open_device(),
            self._workload,
            self._settings,
            self._batch_sizes[-1],
            self._board.count("block_bytes_wanted"),
        )

"""A JACK server as a subject: our work in a plant that we did not write."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import cast

import numpy as np
from numpy.typing import NDArray

from controller.config.config import Config
from controller.errors import PlantError
from controller.executors.cpu.executor import BATCH_SIZES
from controller.executors.cpu.ring import Ring
from controller.executors.cpu.worker import Worker
from controller.executors.processes import ProcessGroup
from controller.executors.shards.ownership import Ownership
from controller.executors.stream_table import NOBODY, StreamTable
from controller.executors.timetable import Timetable
from controller.workloads.workload import WorkloadSettings
from kapellmeister.calibration.jack_client import (
    ENDED,
    RESIZED,
    Cycles,
    Notes,
    Server,
    describe_server,
    load_jack,
    play,
)
from kapellmeister.calibration.subject import (
    DRAIN_PERIODS,
    SETTLING_S,
    between,
    class_of,
    rendering,
)
from simulators.calibration.calibration import OperatingPoint

NODE = SHARD = 1
RING_ENTRIES = 2048
CHANGE_LEAD_BLOCKS = 4
POLL_S = 0.02
PATIENCE_S = 5.0
"""Seconds for which a server may leave a client without an answer, or uncalled."""
LEAVING_S = 2.0
XRUNS, XRUN_SHARE = 10, 0.02
"""Xruns, in all and as a share of the cycles, above which nothing else would be measured."""
ENDS = {
    ENDED: ("the server has ended", "start it again"),
    RESIZED: ("the server's block size was changed", "measure again while it stays"),
}


class JackSubject:
    """A client under a constant load: one worker, driven by the server's cycles."""

    batch_sizes: tuple[int, ...] = BATCH_SIZES
    block_bytes: tuple[int, ...] = ()

    def __init__(self, config: Config, workload: str, slots: int) -> None:
        load_jack()
        self._processes = ProcessGroup()
        server = self._ask_server()
        self.period_ms = 1000.0 * server.period_frames / server.sample_rate_hz
        self.scheduling = "normal"
        settings = WorkloadSettings(
            server.sample_rate_hz, server.period_frames, slots, config.pipeline.taps
        )
        self._workload, self._bank = rendering(workload, settings, BATCH_SIZES)
        self._workload.memory_blocks = 0  # nobody hears whether a stream has a past
        self._frames, self._slots = server.period_frames, slots
        self._table = StreamTable(slots, BATCH_SIZES[0])
        self._ownership = Ownership(SHARD)
        self._ownership.begin(SHARD, NODE, 0)
        self._ring = Ring(RING_ENTRIES, server.period_frames)
        self._notes = Notes()
        self._link: Connection | None = None
        self._xruns = self._cycles = 0
        self._seen = (0, 0.0)  # a block, and when it was the newest

    def start(self) -> None:
        """Join the server's graph, in a process that does nothing else."""
        gc.collect()
        gc.freeze()
        self._link = self._fork(lambda link: play(link, self._notes, self._worker))
        self._answer(self._link)
        self._seen = (self._notes.block, time.monotonic())

    def stop(self) -> None:
        """Leave the graph in good order, and end every process."""
        if self._link is not None:
            self._leave(self._link)

    def device(self) -> None:
        """No device: the worker is that of the CPU executor."""

    def measure(
        self, streams: int, batch_size: int, seconds: float, block_bytes: int | None = None
    ) -> OperatingPoint:
        """The work of so many streams for so long, once all are there.

        Raises PlantError where the server ends, changes or leaves the client out too often.
        """
        del block_bytes
        shards = np.full(self._slots, NOBODY, np.int16)
        shards[:streams] = SHARD
        in_force_from = self._notes.block + CHANGE_LEAD_BLOCKS
        self._table.publish(in_force_from, batch_size, shards)
        self._pass(SETTLING_S, lambda _: None)
        while self._notes.block <= in_force_from:
            self._pass(POLL_S, lambda _: None)
        self.scheduling = class_of(self._notes.policy)
        first, before = self._notes.block + 1, self._notes.xruns
        batches: list[NDArray[np.void]] = []
        self._pass(seconds, batches.append)
        last = self._notes.block
        self._count(self._notes.xruns - before, last - first)
        self._pass(DRAIN_PERIODS * self.period_ms / 1000.0 + POLL_S, batches.append)
        return OperatingPoint(streams, batch_size, last - first, between(batches, first, last))

    def _count(self, xruns: int, cycles: int) -> None:
        """See that what is measured is not the xruns."""
        self._xruns += xruns
        self._cycles += cycles
        if self._xruns > max(XRUNS, XRUN_SHARE * self._cycles):
            why = f"{self._xruns} xruns in {self._cycles} cycles"
            raise PlantError("jack", why, "quieten the machine, or give the server longer blocks")

    def _pass(self, seconds: float, take: Callable[[NDArray[np.void]], object]) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            time.sleep(POLL_S)
            take(self._ring.read()[0])
            self._check()

    def _check(self) -> None:
        """See that there is still something to measure."""
        if self._notes.block != self._seen[0]:
            self._seen = (self._notes.block, time.monotonic())
        if self._notes.end:
            raise PlantError("jack", *ENDS[self._notes.end])
        if self._processes.reap():
            raise PlantError("jack", "the client has ended", "look into what it printed")
        if time.monotonic() - self._seen[1] > PATIENCE_S:
            why = f"the server has called nobody for {PATIENCE_S:.0f} s"
            raise PlantError("jack", why, "see whether it still runs")

    def _worker(self, cycles: Cycles) -> Worker:
        timetable = cast(Timetable, cycles)  # all that rendering asks is when it was captured
        return Worker(
            NODE,
            self._workload,
            self._bank,
            self._table,
            self._ownership,
            self._ring,
            timetable,
            self._frames,
            self._slots,
        )

    def _ask_server(self) -> Server:
        link = self._fork(describe_server)
        try:
            return self._answer(link)
        finally:
            self._leave(link)

    def _fork(self, run: Callable[[Connection], None]) -> Connection:
        """A child at work, and our end of the line to it."""
        ours, theirs = multiprocessing.Pipe()
        self._processes.start("km-jack", "audio", partial(_run, ours, theirs, run))
        theirs.close()
        return ours

    def _answer(self, link: Connection) -> Server:
        """The child's first words; an error is raised here."""
        try:
            said = link.recv() if link.poll(PATIENCE_S) else None
        except EOFError:
            said = None
        if isinstance(said, Server):
            return said
        why, remedy = said or ("the client came to nothing", "look into what the server printed")
        raise PlantError("jack", why, remedy)

    def _leave(self, link: Connection) -> None:
        """Let the child take its client out of the graph; end it where it does not."""
        link.close()
        give_up_s = time.monotonic() + LEAVING_S
        while self._processes.by_class() and time.monotonic() < give_up_s:
            self._processes.reap()
            time.sleep(POLL_S)
        self._processes.stop_all()


def _run(ours: Connection, theirs: Connection, run: Callable[[Connection], None]) -> None:
    """Run the client in the child; our end is left to the parent, so that its closing is heard."""
    ours.close()
    run(theirs)


@contextmanager
def jack_subject(config: Config, workload: str, slots: int) -> Iterator[JackSubject]:
    """A client at work; whatever happens, it leaves the graph and no process is left."""
    made = JackSubject(config, workload, slots)
    try:
        made.start()
        yield made
    finally:
        made.stop()

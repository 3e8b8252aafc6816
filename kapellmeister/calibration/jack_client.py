"""A client of a JACK server, in a process of its own: the server's clock, our worker's work."""

from __future__ import annotations

import ctypes
import ctypes.util
import mmap
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.errors import MissingExtraError, PlantError
from controller.executors.cpu.worker import Worker
from controller.plants.jack.monitor import NO_SERVER, NOT_INSTALLED, OF_PIPEWIRE, is_of_pipewire

NAME = "kapellmeister"
FRAMES_WRAP = 1 << 32
CORRECTION = 1 / 256
"""Share of its distance to the last call that the clock moves each cycle: so it follows drift."""
ENDED, RESIZED = 1, 2
"""Why a client can do no more: its server has ended, or plays blocks of another size."""


def load_jack() -> Any:
    """The package that speaks to JACK.

    Raises MissingExtraError without it, PlantError where JACK itself is not installed.
    """
    try:
        import jack
    except ImportError as error:
        raise MissingExtraError("JACK-Client", "jack") from error
    except OSError as error:
        raise PlantError("jack", *NOT_INSTALLED) from error
    if is_of_pipewire(jack.version_string()):
        raise PlantError("jack", OF_PIPEWIRE[0], "start this without pw-jack, on a server of jackd")
    return jack


@dataclass(frozen=True, slots=True)
class Server:
    """A server's rate and period."""

    sample_rate_hz: int
    period_frames: int


class SharedNumber:
    """An integer at a place of `Notes`."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, notes: Notes, kind: type[Notes]) -> int:
        return int(notes.values[self._place])

    def __set__(self, notes: Notes, number: int) -> None:
        notes.values[self._place] = number


class Notes:
    """Notes of the client's process for the other one, in memory that both were born with."""

    block = SharedNumber(0)
    """The block that is being rendered, counted in the server's cycles."""
    xruns = SharedNumber(1)
    """Jumps of the server's time so far: it was late itself, or left this client out."""
    policy = SharedNumber(2)
    """The kernel's scheduling policy for the thread that the server calls."""
    end = SharedNumber(3)
    """Why there is nothing more to come, `ENDED` or `RESIZED`; 0 while there is."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 64)
        self.values: NDArray[np.int64] = np.frombuffer(self._memory, np.int64, 4)


class CycleClock:
    """The beginnings of cycles, by when they were heard of: never early, sometimes late.

    A cycle follows another by the nominal period, and none begins after it was heard of. A clock
    that keeps to both is drawn towards the calls, so that it follows a drifting one.
    """

    def __init__(self) -> None:
        self._at_us = 0.0

    def restart(self, called_us: float) -> float:
        """Begin with a cycle that was heard of then."""
        self._at_us = called_us
        return called_us

    def follow(self, passed_us: float, called_us: float) -> float:
        """The beginning of a cycle so much after the last one, heard of at `called_us`."""
        at_us = min(self._at_us + passed_us, called_us)
        self._at_us = at_us + CORRECTION * (called_us - at_us)
        return at_us


class Cycles:
    """The server's cycles as a worker's timetable: when each began, on the monotonic clock.

    JACK's own instants come from a filter that needs seconds to recover whenever the server
    was late, and is milliseconds off meanwhile; but its count of frames is exact, and the filter
    tells when the server's time has jumped. JACK's clock is not the monotonic one (nobody
    slews it), so both are read in each cycle.
    """

    def __init__(self, client: Any, notes: Notes) -> None:
        from _jack import ffi

        server = _server_of(client)
        self._frames_a_period = server.period_frames
        self._us_a_frame = 1e6 / server.sample_rate_hz
        self._library = ctypes.PyDLL(ctypes.util.find_library("jack"))
        self._library.jack_get_time.restype = ctypes.c_uint64
        self._frames, self._period_us = ctypes.c_uint32(), ctypes.c_float()
        self._begun_us, self._next_us = ctypes.c_uint64(), ctypes.c_uint64()
        pointer = int(ffi.cast("uintptr_t", client._ptr))  # noqa: SLF001 - it has no cycle times
        results = (self._frames, self._begun_us, self._next_us, self._period_us)
        self._arguments = (ctypes.c_void_p(pointer), *(ctypes.byref(each) for each in results))
        self._notes = notes
        self._last_frames = 0
        self._clock = CycleClock()
        self._captured_ns = 0

    def begin(self) -> int:
        """Take note of the cycle that has just begun: the number of its block."""
        expected_us, notes = self._next_us.value, self._notes
        called_us, called_ns = self._library.jack_get_time(), time.monotonic_ns()
        self._library.jack_get_cycle_times(*self._arguments)
        passed = (self._frames.value - self._last_frames) % FRAMES_WRAP
        self._last_frames = self._frames.value
        if expected_us == self._begun_us.value:
            notes.block += 1
            begun_us = self._clock.follow(passed * self._us_a_frame, called_us)
        else:
            first = expected_us == 0
            notes.block += 1 if first else max(1, passed // self._frames_a_period)
            notes.xruns += not first
            notes.policy = os.sched_getscheduler(0)
            begun_us = self._clock.restart(called_us)
        self._captured_ns = called_ns - round(1000 * (called_us - begun_us))
        return notes.block

    def captured_ns(self, block: int) -> int:  # noqa: ARG002 - it is the only one there is
        """When the cycle of this block began."""
        return self._captured_ns


def describe_server(link: Connection) -> None:
    """Tell what the server plays, and leave it again."""
    _with_client(link, lambda client: link.send(_server_of(client)))


def play(link: Connection, notes: Notes, worker_at: Callable[[Cycles], Worker]) -> None:
    """Render whenever the server calls, until the other end of `link` says or sends anything.

    This thread then sleeps in the kernel: nothing in the process takes the interpreter from
    the thread that the server calls.
    """

    def render(client: Any) -> None:
        cycles = Cycles(client, notes)
        worker = worker_at(cycles)
        period_frames = _server_of(client).period_frames

        def process(frames: int) -> None:
            if frames != period_frames:
                notes.end = RESIZED
            elif not notes.end:
                worker.render(cycles.begin())

        def shut_down(*_: object) -> None:
            notes.end = ENDED

        client.set_process_callback(process)
        client.set_shutdown_callback(shut_down)
        client.activate()
        link.send(_server_of(client))
        link.poll(None)
        client.deactivate()

    _with_client(link, render)


def _server_of(client: Any) -> Server:
    return Server(int(client.samplerate), int(client.blocksize))


def _with_client(link: Connection, use: Callable[[Any], None]) -> None:
    """Open a client, use it and close it; what hinders that goes to the other end as an error."""
    jack = load_jack()
    _silence_libjack()
    try:
        client = jack.Client(NAME, no_start_server=True)
    except jack.JackError:
        link.send(NO_SERVER)
        return
    try:
        use(client)
    except jack.JackError as error:
        why, remedy = f"the server refused: {error}", "look into what it printed"
        link.send((why, remedy))
    finally:
        client.close()


def _silence_libjack() -> None:
    """Keep what libjack prints from the terminal; Python's own errors are still seen there."""
    sys.stderr = os.fdopen(os.dup(2), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)

"""Fits in a process of their own, which the control loop never waits for."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor, wait
from multiprocessing.connection import Connection
from typing import Self

from controller import plugins
from controller.forecasting.fitting import Outcome
from controller.forecasting.forecaster import FitTask
from controller.linux.prctl import die_with_parent, name_process
from controller.sensors.cpu import ProcessSensor
from policies.observation import fresh

BUDGET_S = 20.0
START_S = 60.0
"""Seconds that a process may take to start; on a machine in need it has little time of its own."""
NICENESS = 10
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class FitProcess:
    """Runs one task at a time, in a process that is started when the first one comes.

    What fitting needs is imported there alone, on one thread and below all other work. A fit
    that takes longer than `budget_s` is killed with its process; the next has a new one. The
    process dies with this one at the latest.
    """

    def __init__(self, budget_s: float = BUDGET_S) -> None:
        self._budget_s = budget_s
        self._thread = ThreadPoolExecutor(1, "fits")
        self._running: Future[Outcome] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._closed = False
        self._ended_cpu_s = 0.0

    @property
    def cpu_s(self) -> float:
        """Processor time of all fits so far, with what they had to import."""
        return self._ended_cpu_s + _cpu_s(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, task: FitTask) -> None:
        """Begin with a task; what waits for it is a thread, which sleeps."""
        self._running = self._thread.submit(self._run, task)

    def outcome(self) -> Outcome | None:
        """The outcome of the task, told once; None while it runs."""
        if self._running is None or not self._running.done():
            return None
        outcome, self._running = self._running.result(), None
        return outcome

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._closed = True
        while self._running is not None and not self._running.done():
            self._end()
            wait([self._running], timeout=0.02)
        self._end()
        self._thread.shutdown()

    def _run(self, task: FitTask) -> Outcome:
        try:
            message = _packed(task)
        except Exception as error:  # noqa: BLE001 - anyone's arguments may fail in any way
            return Outcome(task, error=f"cannot be handed on: {error!r}")
        try:
            connection = self._connection or self._started()
            connection.send_bytes(message)
            if not connection.poll(self._budget_s):
                self._end()
                return Outcome(task, error=f"took longer than {self._budget_s:g} s")
            result, wrong = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError) as lost:
            self._end()
            return Outcome(task, error=f"lost its process ({lost or 'it died'})")
        return Outcome(task, result, wrong)

    def _started(self) -> Connection:
        """A new process that is ready for work. Raises OSError where there is none in time."""
        if self._closed:
            raise EOFError("it was closed")
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [sys.executable, "-m", "controller.forecasting.fit_process"]
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=os.environ | dict.fromkeys(ONE_THREAD, "1"),
            )
            connection = Connection(ours.detach())
        self._connection = connection
        if not connection.poll(START_S):
            raise TimeoutError(f"it did not start within {START_S:g} s")
        connection.recv_bytes()
        return connection

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._ended_cpu_s += _cpu_s(process)
            process.kill()
            process.wait()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _cpu_s(process: subprocess.Popen[bytes] | None) -> float:
    if process is None:
        return 0.0
    return fresh(ProcessSensor(process.pid).read()["process.cpu_s"]) or 0.0


def _packed(task: FitTask) -> bytes:
    """The task, with the file of its function where that is a plug-in without a package."""
    name = task.function.__module__
    file = sys.modules[name].__file__ if name.startswith(plugins.MODULE_PREFIX) else None
    return pickle.dumps((file, pickle.dumps(task)))


def _answered(message: bytes) -> bytes:
    """The result of a task or what went wrong, either as bytes."""
    try:
        file, packed = pickle.loads(message)
        if file is not None:
            plugins.load_file(file)
        return pickle.dumps((pickle.loads(packed).run(), None))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a fit may fail in any way
        return pickle.dumps((None, f"raised {error!r}"))


def main(connection: Connection) -> None:
    """Answer tasks until nobody is left who asks."""
    die_with_parent(signal.SIGKILL)
    name_process("kapell-fits")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the parent decides
    sys.stdout = sys.stderr  # what a plug-in prints is no result
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send_bytes(b"")
        while True:
            connection.send_bytes(_answered(connection.recv_bytes()))


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))

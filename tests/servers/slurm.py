"""A Slurm of our own on this host, in seconds: a controller and one node of four processors.

Needs root, and Debian's packages slurm-wlm and munge. Nothing of the system's own Slurm is touched:
keys, sockets, ports and state are in a folder that goes away with it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from awaited import until

from controller.linux.prctl import dying_with_parent

PROGRAMS = {"munged": "munge", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm"}
"""Programs that are needed, and the packages that have them."""
CONFIGURATION = """\
ClusterName=kapellmeister
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={controller_port}
SlurmdPort={node_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer_batch=0
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
KillWait=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """A running Slurm; `environment` has its clients find it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._configuration = folder / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self._configuration)}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it, and wait until its node takes jobs."""
        self._configure()
        self._start_munge()
        for daemon in ("slurmctld", "slurmd"):
            self._run(daemon, "-D", "-f", str(self._configuration))
        until(lambda: "idle" in self._ask("sinfo", "--noheader", "--format=%t"))

    def jobs(self) -> list[str]:
        """Ids of the jobs that run or wait."""
        return self._ask("squeue", "--noheader", "--format=%i").split()

    def cancel(self, job: str) -> None:
        """Cancel one job."""
        self._ask("scancel", job)

    def close(self) -> None:
        """Cancel every job, and end it."""
        for job in self.jobs():
            self._ask("scancel", "--signal=KILL", job)
        until(lambda: not self.jobs())
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait()

    def _configure(self) -> None:
        ports = {"controller_port": _free_port(), "node_port": _free_port()}
        host = socket.gethostname()
        text = CONFIGURATION.format(folder=self._folder, host=host, **ports)
        self._configuration.write_text(text, encoding="utf-8")
        for name in ("state", "spool"):
            (self._folder / name).mkdir()

    def _start_munge(self) -> None:
        key = self._folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        names = {"key-file": key.name, "socket": "munge.socket", "pid-file": "munge.pid"}
        names |= {"log-file": "munge.log", "seed-file": "munge.seed"}
        options = [f"--{option}={self._folder / name}" for option, name in names.items()]
        self._run("munged", "--foreground", "--force", *options)
        until((self._folder / "munge.socket").exists)

    def _run(self, *command: str) -> None:
        log = (self._folder / f"{command[0]}.out").open("wb")
        with log:
            started = subprocess.Popen(dying_with_parent(*command), stdout=log, stderr=log)
        self._daemons.append(started)

    def _ask(self, *command: str) -> str:
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
        return done.stdout


@contextmanager
def serving() -> Iterator[Slurm]:
    """A Slurm that takes jobs, or the test is skipped where it cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("Slurm starts jobs as root only")
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: {package})")
    with TemporaryDirectory(prefix="slurm-", dir="/var/tmp") as folder:
        slurm = Slurm(Path(folder))
        try:
            slurm.start()
            yield slurm
        finally:
            slurm.close()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port

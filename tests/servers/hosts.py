"""Hosts of our own: network namespaces with a wire each to one switch, which can be cut.

Needs root and iproute2. Hosts share files and processes with this machine, and have names,
addresses and a loopback of their own. They are removed at the end, with all that runs on them;
what a killed run left is removed by the next.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = ("one", "two", "three")
NAMED_IN = Path("/etc/netns")
"""Folder whose NAMESPACE/hosts is /etc/hosts inside."""
SET_NAME = 'hostname "$0" && exec "$@"'


class Hosts:
    """Hosts by name, each with an address of 10.77.0.0/24."""

    def __init__(self, names: tuple[str, ...] = NAMES) -> None:
        self.addresses = {name: f"10.77.0.{1 + index}" for index, name in enumerate(names)}
        self._switch = f"km{os.getpid()}-switch"

    def start(self) -> None:
        """Make the switch and the hosts, and connect them."""
        _ip("netns", "add", self._switch)
        _within(self._switch, "link", "add", "switch", "type", "bridge")
        _within(self._switch, "link", "set", "switch", "up")
        for name, address in self.addresses.items():
            self._make(name, address)

    def command(self, name: str, *program: str) -> tuple[str, ...]:
        """The command that runs a program on that host, under its name."""
        inside = ("ip", "netns", "exec", self._namespace(name), "unshare", "--uts")
        return (*inside, "sh", "-c", SET_NAME, name, *program)

    def cut(self, name: str) -> None:
        """Cut the wire of a host, silently, as if it had been pulled."""
        _within(self._switch, "link", "set", name, "down")

    def mend(self, name: str) -> None:
        """Connect it again."""
        _within(self._switch, "link", "set", name, "up")

    def close(self) -> None:
        """End what runs on the hosts, and remove them."""
        for namespace in (*map(self._namespace, self.addresses), self._switch):
            _remove(namespace)

    def _make(self, name: str, address: str) -> None:
        namespace = self._namespace(name)
        named = NAMED_IN / namespace
        named.mkdir(parents=True)
        (named / "hosts").write_text(self._names(), encoding="utf-8")
        _ip("netns", "add", namespace)
        _ip("-n", self._switch, "link", "add", name, "type", "veth", "peer", "name", "eth0")
        _within(self._switch, "link", "set", "eth0", "netns", namespace)
        _within(self._switch, "link", "set", name, "master", "switch", "up")
        _within(namespace, "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _within(namespace, "link", "set", device, "up")

    def _names(self) -> str:
        lines = (f"{address} {name}\n" for name, address in self.addresses.items())
        return "127.0.0.1 localhost\n" + "".join(lines)

    def _namespace(self, name: str) -> str:
        return f"km{os.getpid()}-{name}"


@contextmanager
def connected(*names: str) -> Iterator[Hosts]:
    """Hosts that reach each other, or the test is skipped where they cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces are made by root only")
    for program in ("ip", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: iproute2, util-linux)")
    _sweep()
    hosts = Hosts(names or NAMES)
    try:
        hosts.start()
    except subprocess.CalledProcessError as error:
        hosts.close()
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
    try:
        yield hosts
    finally:
        hosts.close()


def _sweep() -> None:
    """Remove hosts whose run is gone."""
    for namespace in re.findall(r"^(km\d+-\w+)", _ip("netns", "list"), re.MULTILINE):
        owner = int(namespace[2:].partition("-")[0])
        if not Path(f"/proc/{owner}").exists():
            _remove(namespace)


def _remove(namespace: str) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):
        for pid in _ip("netns", "pids", namespace).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        _ip("netns", "delete", namespace)
    shutil.rmtree(NAMED_IN / namespace, ignore_errors=True)
    with contextlib.suppress(OSError):
        NAMED_IN.rmdir()


def _within(namespace: str, *words: str) -> str:
    return _ip("-n", namespace, *words)


def _ip(*words: str) -> str:
    done = subprocess.run(("ip", *words), check=True, capture_output=True, text=True, timeout=10)
    return done.stdout

"""Nodes as processes of this machine: for one host, and for tests."""

from __future__ import annotations

import socket
import time

from controller.errors import MembershipError
from controller.executors.cluster.membership.back_off import BackOff
from controller.executors.cluster.membership.membership import Node, NodeCommand, NodeState
from controller.executors.cluster.membership.node_process import NodeProcess
from controller.executors.cluster.membership.roster import Roster
from controller.linux.os_errors import explained


class LocalProcesses:
    """Starts each node by the command, and ends it by SIGKILL; they end with this process."""

    name = "processes"

    def __init__(self, command: NodeCommand) -> None:
        self._command = command
        self._roster = Roster("local", time.monotonic)
        self._running: dict[str, NodeProcess] = {}
        self._back_off = BackOff()

    @property
    def wanted(self) -> int:
        """The number of nodes that there should be."""
        return self._roster.wanted

    def start(self) -> None:
        """Nothing has to be prepared here. Raises MembershipError for an empty command."""
        if not self._command.arguments:
            raise MembershipError(self.name, "the command of a node is empty", "name a program")

    def want(self, count: int) -> None:
        """Ask for so many nodes."""
        self._roster.want(count)

    def advance(self) -> None:
        """Hear what the nodes say, notice their ends, and start those that are wanted."""
        for name, process in tuple(self._running.items()):
            self._hear(name, process)
        for node in self._roster.of(NodeState.WANTED):
            if self._back_off.allows(time.monotonic()):
                self._start(node.name)

    def nodes(self) -> tuple[Node, ...]:
        """The nodes, oldest first."""
        return self._roster.nodes()

    def events(self) -> tuple[Node, ...]:
        """Every change of state since the last call."""
        return self._roster.events()

    def release(self, node: str) -> None:
        """End a draining node."""
        self._end(node)
        self._roster.forget(node)

    def give_up(self, node: str, reason: str) -> None:
        """End a node that others found dead, and have another in its place."""
        self._end(node)
        self._roster.loses(node, reason)

    def close(self) -> None:
        """End every node."""
        self._roster.want(0)
        for name in tuple(self._running):
            self.release(name)

    def _start(self, name: str) -> None:
        try:
            process = NodeProcess(self._command, name)
        except OSError as error:
            why, remedy = explained(error)
            self._fails(name, f"it cannot be started: {why}; {remedy}")
            return
        self._running[name] = process
        self._roster.starts(name, socket.gethostname(), process.pid)

    def _hear(self, name: str, process: NodeProcess) -> None:
        for told in process.heard():
            self._roster.hears(name, told)
            if told.is_ready:
                self._back_off.succeeds()
        if (status := process.status()) is not None:
            self._lose(name, status)

    def _lose(self, name: str, status: str) -> None:
        node = next(each for each in self._roster.nodes() if each.name == name)
        self._end(name)
        if node.state is NodeState.STARTING:
            self._fails(name, f"{status} before it was ready; last it said: {node.reason}")
        else:
            self._roster.loses(name, status)

    def _fails(self, name: str, reason: str) -> None:
        self._back_off.fails(time.monotonic())
        self._roster.loses(name, reason)

    def _end(self, name: str) -> None:
        if (process := self._running.pop(name, None)) is not None:
            process.end()

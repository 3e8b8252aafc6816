"""Nodes beside the workers of a Dask cluster, which another process keeps."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.errors import MembershipError
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.executors.cluster.membership.membership import Node, NodeCommand, NodeState
from controller.monitors.link import MonitorLink
from controller.plain_json import from_plain, to_plain

MANAGER = "controller.executors.cluster.membership.dask_manager"
OPENED_WITHIN_S = 60.0
"""Time, s, in which a cluster has to open."""
CLOSED_WITHIN_S = 10.0
"""Time, s, in which its jobs are cancelled."""
SILENT_S = 20.0
"""Silence, s, after which the process that keeps the cluster is replaced, and its nodes lost."""


class DaskMembership:
    """Any distributed.deploy.Cluster, by configuration; it never adapts by itself.

    A node dies with its worker, and a worker with the scheduler, which this process's child runs.
    """

    name = "dask"

    def __init__(self, command: NodeCommand, settings: DaskSettings | None = None) -> None:
        self._command = command
        self._settings = settings or DaskSettings()
        self._link: MonitorLink | None = None
        self._wanted = 0
        self._manager: int | None = None
        self._nodes: tuple[Node, ...] = ()
        self._events: list[Node] = []

    @property
    def wanted(self) -> int:
        """The number of nodes that there should be."""
        return self._wanted

    @property
    def process(self) -> int | None:
        """The process id of what keeps the cluster; None while there is none."""
        return None if self._link is None else self._link.pid

    def start(self) -> None:
        """Open the cluster. Raises MembershipError where that cannot be done."""
        described = {"command": to_plain(self._command), "settings": to_plain(self._settings)}
        self._link = link = MonitorLink(MANAGER, json.dumps(described), silent_s=SILENT_S)
        lines = link.wait(OPENED_WITHIN_S)
        if not lines:
            link.close()
            raise MembershipError(self.name, *link.error)
        self._manager = link.pid
        self._take(lines)

    def want(self, count: int) -> None:
        """Ask for so many nodes."""
        self._wanted = count
        self._order({"want": count})

    def advance(self) -> None:
        """Hear what the process that keeps the cluster tells."""
        if self._link is None:
            return
        self._take(self._link.newest())
        if self._manager != self._link.pid:
            self._lose_all()
            self._manager = self._link.pid

    def nodes(self) -> tuple[Node, ...]:
        """The nodes, oldest first."""
        return self._nodes

    def events(self) -> tuple[Node, ...]:
        """Every change of state since the last call."""
        events, self._events = tuple(self._events), []
        return events

    def release(self, node: str) -> None:
        """End a draining node and its worker."""
        self._order({"release": node})

    def give_up(self, node: str, reason: str) -> None:
        """Take a node as lost that others found dead."""
        self._order({"give_up": [node, reason]})

    def close(self) -> None:
        """End every node, worker and job."""
        if self._link is None:
            return
        self._order({"close": True})
        give_up_s = time.monotonic() + CLOSED_WITHIN_S
        while self._link.pid is not None and time.monotonic() < give_up_s:
            self._link.wait(0.1)
        self._link.close()
        self._link, self._nodes = None, ()

    def _take(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            self._nodes = from_plain(line["nodes"], tuple[Node, ...])
            self._events.extend(from_plain(line["events"], tuple[Node, ...]))
        if lines and lines[-1]["wanted"] != self._wanted:
            self._order({"want": self._wanted})

    def _order(self, order: Mapping[str, Any]) -> None:
        if self._link is not None:
            self._link.tell(json.dumps(order))

    def _lose_all(self) -> None:
        """Lose the nodes of a manager that is gone: they ended with it."""
        reason = "the process that kept the Dask cluster has ended"
        kept = [node for node in self._nodes if node.state is not NodeState.LOST]
        lost = [replace(node, state=NodeState.LOST, reason=reason) for node in kept]
        self._events.extend(lost)
        self._nodes = tuple(lost)

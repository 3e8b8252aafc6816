"""The roster: all nodes with their states, and how many more or fewer there should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from controller.executors.cluster.membership.membership import NOT_TOLD, Node, NodeState
from controller.executors.cluster.membership.node_lines import Told

COUNTED = (NodeState.WANTED, NodeState.STARTING, NodeState.READY)
"""States in which a node counts towards the number wanted."""


class Roster:
    """Keeps the nodes of one membership; starting and ending them is the caller's.

    Names are `PREFIX-1`, `PREFIX-2` and so on. `now_s` is the clock that states are stamped by.
    """

    def __init__(self, prefix: str, now_s: Callable[[], float]) -> None:
        self._prefix = prefix
        self._now_s = now_s
        self._nodes: dict[str, Node] = {}
        self._events: list[Node] = []
        self._named = 0
        self.wanted = 0

    def nodes(self) -> tuple[Node, ...]:
        """All nodes, oldest first."""
        return tuple(self._nodes.values())

    def of(self, *states: NodeState) -> tuple[Node, ...]:
        """The nodes in these states, oldest first."""
        return tuple(node for node in self._nodes.values() if node.state in states)

    def events(self) -> tuple[Node, ...]:
        """Every change of state since the last call."""
        events, self._events = tuple(self._events), []
        return events

    def want(self, count: int) -> None:
        """Have so many nodes wanted, starting or ready; those beyond it drain, newest first."""
        self.wanted = count
        surplus = self.of(*COUNTED)[count:]
        for node in surplus:
            if node.state is NodeState.WANTED:
                self.forget(node.name)
            else:
                self._change(node, NodeState.DRAINING, "no longer wanted")
        self._fill()

    def waits(self, reason: str) -> None:
        """Note why the wanted nodes do not start."""
        for node in self.of(NodeState.WANTED):
            if node.reason != reason:
                self._change(node, NodeState.WANTED, reason)

    def starts(self, name: str, host: str, pid: int) -> bool:
        """Note that the process of a node runs; whether it is wanted still."""
        node = self._nodes.get(name)
        if node is None or node.state is not NodeState.WANTED:
            return False
        self._change(replace(node, host=host, pid=pid), NodeState.STARTING, "its process runs")
        return True

    def hears(self, name: str, told: Told) -> None:
        """Note what a starting node told: that it is ready, or why it will not be."""
        node = self._nodes.get(name)
        if node is None or node.state is not NodeState.STARTING:
            return
        if not told.is_ready:
            self._change(node, NodeState.STARTING, told.reason)
            return
        address = NOT_TOLD if told.address is None else told.address
        self._change(replace(node, address=address), NodeState.READY, "it says so")
        if len(self.of(NodeState.READY)) >= self.wanted:
            self._forget_lost()

    def loses(self, name: str, reason: str) -> None:
        """Note the end of a node, and want another where it counted; harmless where it is gone."""
        node = self._nodes.get(name)
        if node is None or node.state is NodeState.LOST:
            return
        self._change(node, NodeState.LOST, reason)
        self._fill()

    def forget(self, name: str) -> None:
        """Drop a node that was released, or never came to be."""
        self._nodes.pop(name, None)
        self._fill()

    def _fill(self) -> None:
        for _ in range(self.wanted - len(self.of(*COUNTED))):
            self._named += 1
            name = f"{self._prefix}-{self._named}"
            self._change(
                Node(name, NodeState.WANTED, "", self._now_s()), NodeState.WANTED, "asked for"
            )

    def _change(self, node: Node, state: NodeState, reason: str) -> None:
        changed = replace(node, state=state, reason=reason, since_s=self._now_s())
        self._nodes[node.name] = changed
        self._events.append(changed)

    def _forget_lost(self) -> None:
        for node in self.of(NodeState.LOST):
            self.forget(node.name)

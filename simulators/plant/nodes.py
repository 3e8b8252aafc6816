"""The nodes of a simulated plant: asked for, starting, serving, draining, paid for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from policies.latency import lognormal
from simulators.levels.draws import NODE_START, uniform

StartLaw = Callable[[int], float]
"""Seconds from the request of a node, by its number, until it serves."""


def start_law(mean_s: float, variation: float, seed: int) -> StartLaw:
    """Starts of `mean_s` seconds times a lognormal factor of this coefficient of variation."""
    if variation <= 0.0:
        return lambda _: mean_s
    factors = lognormal(variation)

    def start_s(node: int) -> float:
        return mean_s * factors[int(uniform(seed, node, 0, NODE_START) * len(factors))]

    return start_s


@dataclass(slots=True)
class Node:
    """A node; `number` is never used again. Paid for from request to stop."""

    number: int
    requested_at_s: float
    ready_at_s: float


class Cluster:
    """Holds as many nodes as were asked for: one that dies is replaced, as an engine would.

    A node serves from the first control interval that begins once it is ready. One that is no
    longer wanted hands its streams on at once and is paid for another `drain_s`; those that
    have not started yet are let go first, the latest first.
    """

    def __init__(self, nodes: int, start_law: StartLaw, drain_s: float = 15.0) -> None:
        self._start_law = start_law
        self._drain_s = drain_s
        self._nodes = [Node(number, 0.0, 0.0) for number in range(nodes)]
        self._draining_until_s: list[float] = []
        self._all_ready_at_s = 0.0
        self._started = nodes
        self._wanted = nodes
        self._in_force = nodes

    @property
    def wanted(self) -> int:
        """Nodes asked for."""
        return self._wanted

    @property
    def in_force(self) -> int:
        """The count last reached in full; a node that died does not change it."""
        return self._in_force

    def ask(self, nodes: int, now_s: float) -> None:
        """Want so many from now on."""
        self._wanted = nodes
        self._fit(now_s)

    def kill(self, index: int, now_s: float) -> None:
        """Lose a serving node at once; its replacement has all of the way to go."""
        serving = self.serving(now_s)
        if serving:
            self._nodes.remove(serving[index % len(serving)])
            self._fit(now_s)

    def serving(self, now_s: float) -> Sequence[Node]:
        """The nodes that are ready at this time, the longest-serving first.

        Holds until nodes are asked for or die.
        """
        if self._all_ready_at_s <= now_s:
            return self._nodes
        return [node for node in self._nodes if node.ready_at_s <= now_s + 1e-9]

    def paid(self, now_s: float) -> int:
        """Nodes that cost at this time: starting, serving and draining."""
        if self._draining_until_s:
            self._draining_until_s = [each for each in self._draining_until_s if each > now_s]
        return len(self._nodes) + len(self._draining_until_s)

    def reached(self, now_s: float) -> int:
        """Note, and return, the count in force now."""
        ready = len(self.serving(now_s))
        if ready == self._wanted or self._in_force != self._wanted:
            self._in_force = ready
        return self._in_force

    def _fit(self, now_s: float) -> None:
        while len(self._nodes) < self._wanted:
            ready_at_s = now_s + self._start_law(self._started)
            self._nodes.append(Node(self._started, now_s, ready_at_s))
            self._all_ready_at_s = max(self._all_ready_at_s, ready_at_s)
            self._started += 1
        surplus = len(self._nodes) - self._wanted
        if surplus <= 0:
            return
        self._nodes.sort(key=lambda node: (node.ready_at_s > now_s, node.requested_at_s))
        for node in self._nodes[-surplus:]:
            if node.ready_at_s <= now_s:
                self._draining_until_s.append(now_s + self._drain_s)
        del self._nodes[-surplus:]

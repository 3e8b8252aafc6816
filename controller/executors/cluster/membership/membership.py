"""The contract of membership: which nodes there should be, and which there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from policies.observation import Missing

NOT_TOLD = Missing("the node has not told it")


class NodeState(StrEnum):
    """A stage in the life of a node; it only ever moves down this list.

    A wanted node is asked for; a starting one runs and is not ready; a ready one may be given
    shards; a draining one renders until its shards are elsewhere; a lost one has ended of its own
    accord, or was given up.
    """

    WANTED = "wanted"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as membership sees it; a name is never used again, so that it fences what is late.

    `since_s` is the time of the last change of state, on the clock of `time.monotonic`. `reason`
    says why it is in that state, for people. `pid` is its process on `host`, and `address` is
    where it listens, HOST:PORT, where it listens at all.
    """

    name: str
    state: NodeState
    reason: str
    since_s: float
    host: str | Missing = NOT_TOLD
    pid: int | Missing = NOT_TOLD
    address: str | Missing = NOT_TOLD


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """The program that a node is: its arguments, and what is added to its environment.

    `{python}` stands for the interpreter of the host where it is started, and `{node}` for the
    name of the node. The program says by lines on its output how it stands: see `node_lines`.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def for_node(self, node: str, python: str) -> tuple[str, ...]:
        """The arguments to start this node with."""
        filled = (each.replace("{python}", python) for each in self.arguments)
        return tuple(each.replace("{node}", node) for each in filled)


class Membership(Protocol):
    """Starts nodes, notices their end and has others in their place; it never renders.

    Constructing touches nothing. `start` may take seconds; from then on no method but `close`
    blocks for longer than a few milliseconds: what is asked for comes about in `advance`. All are
    called by one thread. A node that ends is replaced for as long as it is wanted, at growing
    intervals where none becomes ready. Membership ends no node that renders: those no longer
    wanted are draining, the newest first, until the caller releases them.

    That a node is frozen or cut off shows on the links before it shows here: the caller gives up
    such a node, and membership ends it, where it can be reached, and replaces it.
    """

    @property
    def name(self) -> str:
        """The engine that this is the membership of."""
        ...

    @property
    def wanted(self) -> int:
        """The number of nodes that there should be."""
        ...

    def start(self) -> None:
        """Make ready to start nodes. Raises MembershipError where it cannot be done here."""
        ...

    def want(self, count: int) -> None:
        """Ask for so many nodes."""
        ...

    def advance(self) -> None:
        """Notice what has happened and come closer to what was asked for; about every 20 ms."""
        ...

    def nodes(self) -> tuple[Node, ...]:
        """The nodes, oldest first; a lost one until as many are ready as are wanted."""
        ...

    def events(self) -> tuple[Node, ...]:
        """Nodes as they were upon each change of state since the last call, oldest first."""
        ...

    def release(self, node: str) -> None:
        """End a draining node, which renders nothing any more; harmless where it is gone."""
        ...

    def give_up(self, node: str, reason: str) -> None:
        """Take a node as lost that others found dead; harmless where it is gone."""
        ...

    def close(self) -> None:
        """End every node, and wait until they are gone; harmless before `start` and again."""
        ...


def count_states(nodes: tuple[Node, ...]) -> Mapping[NodeState, int]:
    """The number of nodes in each state, zero included."""
    states = [node.state for node in nodes]
    return {state: states.count(state) for state in NodeState}

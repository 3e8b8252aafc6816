"""Laws of other systems, and the work that the simulator may spare them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from policies.baselines.node_law import NodeReading, remembered
from policies.policy import Context, State
from policies.proposal import Proposal

SHARES = (0.15, 0.25, 0.35, 0.5, 0.6, 0.7, 0.8)
"""Shares of a node that a law may aim at, varied in a sweep."""


class Baseline:
    """Looks at nothing but readings: at no forecast, no diagnosis, and two hours back."""

    __slots__ = ()
    uses_forecast: ClassVar[bool] = False
    uses_diagnosis: ClassVar[bool] = False
    looks_back_s: ClassVar[float] = 7200.0


class NodeBaseline(Baseline):
    """Turns the node count alone."""

    __slots__ = ()
    turns: ClassVar[frozenset[str]] = frozenset({"nodes"})


class LoadBaseline(NodeBaseline, ABC):
    """A law that gives a load its nodes."""

    __slots__ = ()

    def decide(self, context: Context, state: State) -> tuple[Proposal, State]:
        """Follow the load; without one the count, and what is remembered, stay."""
        reading = NodeReading.of(context)
        if reading is None or reading.load is None:
            return Proposal(reason="the load is not known"), state
        return self.follow(reading, reading.load, remembered(state))

    @abstractmethod
    def follow(
        self, reading: NodeReading, load: float, saved: dict[str, State]
    ) -> tuple[Proposal, State]:
        """The nodes for this load, and what the law wants back next time."""

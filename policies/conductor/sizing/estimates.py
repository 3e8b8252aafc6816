"""Estimates learned as it runs: the load's peaks, a miss's price, a node's capacity."""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.conductor.situation import Situation
from policies.conductor.sizing.headroom import Headroom
from policies.conductor.sizing.node_capacity import NodeCapacity
from policies.conductor.sizing.price import MissPrice
from policies.policy import State


@dataclass(frozen=True, slots=True)
class Estimates:
    """The three estimators, each of which sees every interval.

    `capacity` is learned only where no model says what a node carries.
    """

    headroom: Headroom = field(default_factory=Headroom)
    price: MissPrice = field(default_factory=MissPrice)
    capacity: NodeCapacity = field(default_factory=NodeCapacity)

    @classmethod
    def recall(cls, state: State) -> Estimates:
        """The estimates of an earlier decision out of `plain`; each afresh from anything else."""
        held = state if isinstance(state, dict) else {}
        return cls(
            Headroom.recall(held.get("headroom")),
            MissPrice.recall(held.get("price")),
            NodeCapacity.recall(held.get("capacity")),
        )

    def plain(self) -> dict[str, State]:
        """All of it as plain JSON."""
        return {
            "headroom": self.headroom.plain(),
            "price": self.price.plain(),
            "capacity": self.capacity.plain(),
        }

    def see(self, situation: Situation) -> None:
        """Take one interval."""
        self.headroom.see(situation.time_s, situation.load)
        self.price.see(situation.time_s, situation.load, situation.miss_rate)
        if situation.law is None:
            self.capacity.see(situation)

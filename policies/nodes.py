"""How many nodes carry a load."""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.proposal import Effect, Expectation

RESERVE_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class NodeModel:
    """Utilisation of nodes that share a load as evenly as whole streams allow.

    `share_per_stream` is the part of one node's processor that a stream takes.
    """

    share_per_stream: float

    @classmethod
    def of(cls, busiest_share: float, streams: float, nodes: int) -> NodeModel | None:
        """From the utilisation of the busiest node; None where there is nothing to learn from."""
        if streams < 1 or busiest_share <= 0.0:
            return None
        return cls(busiest_share / math.ceil(streams / nodes))

    def utilisation(self, streams: float, nodes: int) -> float:
        """Part of its time that the busiest node works."""
        return self.share_per_stream * math.ceil(streams / nodes)

    def needed(self, streams: float) -> int:
        """The fewest nodes that carry the load and keep the reserve."""
        fitting = max(1, math.floor((1.0 - RESERVE_SHARE) / self.share_per_stream + 1e-9))
        return max(1, math.ceil(streams / fitting))

    def miss_rate(self, streams: float, nodes: int) -> float:
        """The part of the work that finds no room once the reserve is kept: a fluid bound."""
        utilisation = self.utilisation(streams, nodes)
        return max(0.0, 1.0 - (1.0 - RESERVE_SHARE) / utilisation) if utilisation > 0.0 else 0.0

    def effect(self, before: int, after: int, highest_load: float, missed: float) -> Effect:
        """The miss rate with and without the change, at loads up to twice the highest.

        Without it at least what is `missed` now goes on being missed, whatever its cause.
        """
        loads = [highest_load * k / 4.0 for k in range(9)]
        return Effect(
            "miss_rate",
            "of the blocks",
            tuple(
                Expectation(
                    load, self.miss_rate(load, after), max(missed, self.miss_rate(load, before))
                )
                for load in loads
            ),
        )

"""The price of a miss in nodes: learned, so that a target miss rate is all that a user gives."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from policies.policy import State

PRICE = 0.03
"""Part of a node that a node's worth of misses at the target costs."""
AIM = 0.9
"""Part of the target that is aimed at: chance must not take what is missed beyond it."""
HALF_LIFE_S = 2 * 86_400.0
"""Seconds after which what was missed counts half."""
PRIOR_S = 86_400.0
"""Seconds of misses on target that are believed in beforehand: a bad first minute is not all
that there is to know. What of it is not one node's work is forgotten like all else."""
RANGE = (0.5, 10.0)
"""Factor between which the misses seen change the price at once."""
TRIM_S = 2 * 86_400.0
"""Seconds in which a miss rate that stays twice what is aimed at doubles the price once more."""
TRIM_RANGE = (0.5, 2.0)
"""Factor between which `PRICE` may be off for one load or another, so that nothing winds up."""
LONGEST_INTERVAL_S = 3600.0
"""Seconds that a longer interval counts as: nobody saw whether misses went on."""


@dataclass(slots=True)
class MissPrice:
    """Price of a miss: dearer where more is missed than is aimed at, cheaper where less.

    `missed` and `submitted` are discounted stream-time, `observed_s` the time that they were
    seen in, and `prior_s` what is left of the belief in misses on target. `trim` is what the
    price is multiplied by for good.
    """

    missed: float = 0.0
    submitted: float = 0.0
    observed_s: float = 0.0
    prior_s: float = PRIOR_S
    trim: float = 1.0
    asked_at_s: float | None = None
    now_s: float | None = None

    @classmethod
    def recall(cls, state: State) -> MissPrice:
        """The price of an earlier decision out of its `plain`; afresh from anything else."""
        if not isinstance(state, dict) or state.keys() != cls.__dataclass_fields__.keys():
            return cls()
        return cls(**cast(dict[str, Any], state))

    def plain(self) -> State:
        """All of it as plain JSON."""
        return cast(State, asdict(self))

    def see(self, time_s: float, load: float | None, miss_rate: float | None) -> None:
        """Take one interval; one of which the load or the misses are not known tells nothing."""
        elapsed_s = 0.0 if self.now_s is None else max(0.0, time_s - self.now_s)
        self.now_s = time_s
        kept = 0.5 ** (elapsed_s / HALF_LIFE_S)
        self.missed *= kept
        self.submitted *= kept
        self.observed_s *= kept
        self.prior_s *= kept
        if load is not None and miss_rate is not None:
            seen_s = min(elapsed_s, LONGEST_INTERVAL_S)
            self.missed += miss_rate * load * seen_s
            self.submitted += load * seen_s
            self.observed_s += seen_s

    def ask(self, target_miss_rate: float, streams_per_node: float) -> float:
        """Nodes that a missed stream costs for as long as it is missed.

        It rises with the square of the misses relative to what is aimed at, and goes on rising
        while they stay there (proportional and integral control).
        """
        usual_load = self.submitted / self.observed_s if self.observed_s else 0.0
        prior = max(PRIOR_S * streams_per_node, self.prior_s * usual_load)
        allowed = AIM * target_miss_rate * (self.submitted + prior)
        relative = (self.missed + AIM * target_miss_rate * prior) / allowed
        self._trim(relative)
        factor = self.trim * float(np.clip(relative**2, *RANGE))
        return factor * PRICE / (target_miss_rate * streams_per_node)

    def _trim(self, relative: float) -> None:
        now_s = self.now_s or 0.0
        elapsed_s = 0.0 if self.asked_at_s is None else now_s - self.asked_at_s
        elapsed_s = min(max(elapsed_s, 0.0), LONGEST_INTERVAL_S)
        self.trim = float(np.clip(self.trim * relative ** (elapsed_s / TRIM_S), *TRIM_RANGE))
        self.asked_at_s = now_s

"""How good each member was lately, and what weight that earns it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.forecasting.arrays import decode, encode
from controller.forecasting.history import Floats
from controller.forecasting.model import Steps
from policies.policy import State

SCORED = (0.1, 0.5, 0.9, 0.99)
"""Probabilities at which members are scored and weighted, each on its own."""
HALF_LIFE = 50.0
"""Targets after which a loss counts half, and as many more as it was steps ahead."""
SHARPNESS = 8.0
"""Rate at which weight falls with relative loss: exp(-8 (loss / least loss - 1))."""
FLOOR = 0.02
"""Weight that the first member, last value, never falls below."""
LEAST, HOPELESS = 1e-100, 50.0
"""Loss that counts as none, and multiple of the least one that makes a member hopeless."""


def pinball(error: Floats, level: Floats | float) -> Floats:
    """The loss of a quantile that was off by so much: it is least, on average, for the true one.

    Koenker and Bassett, Econometrica 46 (1978).
    """
    loss: Floats = np.maximum(level * error, (level - 1.0) * error)
    return loss


class Scores:
    """Discounted mean losses of shape (members, horizons, SCORED), and the weights they earn.

    A member that begins late begins with the loss of the first one, last value, and has to
    earn more. One worse than last value has no weight until it is better again.
    """

    def __init__(self, members: int, steps: Steps) -> None:
        self._keep = (0.5 ** (1.0 / (HALF_LIFE + steps)))[:, None]
        self._loss: Floats = np.full((members, steps.size, len(SCORED)), np.nan)

    def add(self, losses: Floats) -> None:
        """Take the losses of one target each; NaN where there was no forecast of it."""
        new = np.isfinite(losses)
        start = np.where(np.isfinite(self._loss[:1]), self._loss[:1], losses)
        before = np.where(np.isfinite(self._loss), self._loss, start)
        after = self._keep * before + (1.0 - self._keep) * losses
        self._loss = np.where(new, after, self._loss)

    def weights(self, available: NDArray[np.bool_]) -> Floats:
        """Weights that add up to one over the available members, shape as the losses.

        Zero everywhere at a horizon where there is none.
        """
        usable = available[:, :, None] & np.isfinite(self._loss)
        loss = np.where(usable, self._loss, np.inf)
        least = loss.min(axis=0)
        least = np.where(np.isfinite(least), np.maximum(least, LEAST), 1.0)
        worse = np.minimum(loss, HOPELESS * least) / least - 1.0
        weights = np.where(usable, np.exp(-SHARPNESS * worse), 0.0)
        weights[1:][loss[1:] > loss[:1]] = 0.0
        weights[0] = np.where(usable[0], np.maximum(weights[0], FLOOR), 0.0)
        total = weights.sum(axis=0)
        return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0.0))

    def level(self) -> None:
        """Begin anew with equal chances: the past tells little after a change."""
        self._loss = np.where(np.isfinite(self._loss), self._loss[:1], self._loss)

    def saved(self) -> State:
        """The losses."""
        return encode(self._loss)

    def resume(self, saved: Any) -> None:
        """Go on from what `saved` gave."""
        self._loss = decode(saved)

"""How far the highest load until another node could serve comes out above what was expected."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS_PER_UNIT = 10
"""Bins of errors a unit, on a scale even around zero and logarithmic far from it (asinh)."""
PRIOR_S = 900.0
"""Seconds of peaks that those believed in before any has come count as."""
PRIOR_ERRORS = np.array([0.0, 1.0, 1.9, 4.0, 6.0, 10.0])
PRIOR_CHANCES = np.array([0.6, 0.3, 0.07, 0.025, 0.004, 0.001])
"""Probabilities of these errors: median 0, 10 % beyond 1, one in a thousand at 10 spreads."""
WIDTH_PRIOR_S = 300.0
"""Seconds of peaks that the width of errors believed in counts as: known sooner than the tail."""
LEAST_WIDTH = 0.1
"""Width, in spreads, below which errors are not believed to be."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The highest load that the lead window may have: values and their probabilities.

    `expected_by` says in words what expects it.
    """

    loads: Floats
    probabilities: Floats
    expected_by: str = ""

    def quantile(self, p: float) -> float:
        """The load that the peak exceeds with probability 1 - p."""
        order = np.argsort(self.loads)
        cumulated = np.cumsum(self.probabilities[order])
        at = min(int(np.searchsorted(cumulated, p - 1e-9)), order.size - 1)
        return float(self.loads[order[at]])


@dataclass(slots=True)
class PeakErrors:
    """How far peaks came out above the median that was expected, in units of its spread.

    The spread is the 90 % quantile less the median. `counts` are discounted, by bin; `loss` is
    the discounted pinball loss of the quantiles that were stated.
    """

    counts: dict[str, float] = field(default_factory=dict)
    loss: float = 0.0

    def learn(self, median: float, spread: float, peak: float, weight: float) -> None:
        """Take a peak that has come."""
        bin_ = str(round(BINS_PER_UNIT * math.asinh((peak - median) / spread)))
        self.counts[bin_] = self.counts.get(bin_, 0.0) + weight

    def judge(self, stated: float, p: float, peak: float, weight: float) -> None:
        """Take how good the quantile p of that peak was."""
        off = peak - stated
        self.loss += weight * max(p * off, (p - 1.0) * off)

    def divide(self, by: float) -> None:
        """Make all that was learned count so many times less."""
        self.counts = {bin_: each / by for bin_, each in self.counts.items()}
        self.loss /= by

    def peaks(
        self, median: float, spread: float, per_second: float, most_rise: float = math.inf
    ) -> Peaks:
        """Peaks that may come; `per_second` is what the peaks of a second now count.

        What was seen tells soon how wide errors are, and late how heavy their tail is: what is
        believed of the tail goes with the 90 % quantile of those seen. None that was seen is
        carried over to more than `most_rise` above the median.
        """
        seen = np.sinh(np.array([int(each) for each in self.counts]) / BINS_PER_UNIT)
        seen = np.minimum(seen, most_rise / spread)
        counts = np.array(list(self.counts.values()))
        width = 1.0
        if counts.size:
            share = counts.sum() / (counts.sum() + WIDTH_PRIOR_S * per_second)
            width += share * (Peaks(seen, counts / counts.sum()).quantile(0.9) - 1.0)
        errors = np.concatenate((seen, max(width, LEAST_WIDTH) * PRIOR_ERRORS))
        counts = np.concatenate((counts, PRIOR_S * per_second * PRIOR_CHANCES))
        return Peaks(median + spread * errors, counts / counts.sum())

"""Seasons that show in the data: the day, the week, and others found by autocorrelation."""

from __future__ import annotations

import numpy as np

from controller.forecasting.history import Floats

DAY_S, WEEK_S = 86_400.0, 604_800.0
SHORTEST = 12
"""Cells of the shortest season looked for."""
CLEAR = 0.3
"""Autocorrelation that a season must reach, above what lies half a season away."""


def calendar(step_s: float, cells: int) -> tuple[int, ...]:
    """Day and week in cells, where at least two of them are known."""
    periods = [round(each / step_s) for each in (DAY_S, WEEK_S)]
    return tuple(each for each in periods if SHORTEST <= each <= cells // 2)


def found(values: Floats, step_s: float) -> float:
    """The period, seconds, at which the series is most like itself; 0 where at none.

    Looked for in what a slow moving mean leaves, from peaks of the autocorrelation, which a
    fast Fourier transform of the power spectrum gives (Wiener and Khinchin).
    """
    size = values.size
    if size < 4 * SHORTEST:
        return 0.0
    centred = values - np.linspace(values[: size // 4].mean(), values[-size // 4 :].mean(), size)
    centred = centred - centred.mean()
    power = np.abs(np.fft.rfft(centred, 2 * size)) ** 2
    correlation = np.fft.irfft(power)[: size // 2 + 1]
    if not correlation[0] > 0.0:
        return 0.0
    correlation = correlation / correlation[0] * size / (size - np.arange(size // 2 + 1.0))
    lags = np.arange(SHORTEST, size // 2)
    peaks = lags[
        (correlation[lags] >= correlation[lags - 1]) & (correlation[lags] >= correlation[lags + 1])
    ]
    rises = correlation[peaks] - correlation[peaks // 2]
    clear = peaks[(rises > CLEAR) & (correlation[peaks] > CLEAR)]
    if not clear.size:
        return 0.0
    best = correlation[clear].max()
    return float(clear[correlation[clear] > 0.9 * best][0]) * step_s

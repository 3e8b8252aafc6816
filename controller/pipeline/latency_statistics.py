"""Figures of the pipeline: of the last control interval, and of the whole run."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from controller.pipeline.block_outcomes import Settled

_LOWEST_NS, _RESOLUTION, _BINS = 1_000.0, 1.005, 3_700


class LatencyHistogram:
    """Counts in bins 0.5 % apart, from 1 us to 100 s: quantiles of any run in fixed memory."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._max_ns = 0

    def add(self, latency_ns: NDArray[np.int64]) -> None:
        """Count latencies, (n,), nanoseconds."""
        if not len(latency_ns):
            return
        bins = np.log(np.maximum(latency_ns, _LOWEST_NS) / _LOWEST_NS) / np.log(_RESOLUTION)
        np.add.at(self._counts, np.minimum(bins.astype(np.intp), _BINS - 1), 1)
        self._max_ns = max(self._max_ns, int(latency_ns.max()))

    def quantile_ms(self, p: float) -> float | None:
        """The p-quantile, milliseconds, at most 0.5 % too high; None when nothing was counted."""
        total = int(self._counts.sum())
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), p * total))
        return min(float(_LOWEST_NS * _RESOLUTION ** (place + 1)), self._max_ns) / 1e6

    def summary(self) -> dict[str, float | None]:
        """The usual four quantiles, milliseconds."""
        return {
            "p50": self.quantile_ms(0.50),
            "p95": self.quantile_ms(0.95),
            "p99": self.quantile_ms(0.99),
            "max": self._max_ns / 1e6 if self._counts.any() else None,
        }


class BatchStatistics:
    """The time of the finished batches of a control interval, by where it went."""

    def __init__(self) -> None:
        self._batches: list[NDArray[np.void]] = []

    def add(self, batches: NDArray[np.void]) -> None:
        """Take in BATCH records, (n,)."""
        if len(batches):
            self._batches.append(batches)

    def summary(self) -> dict[str, object]:
        """Stages and readings by name; empty when no batch was finished."""
        if not self._batches:
            return {}
        all_batches = np.concatenate(self._batches)
        wall_ns = all_batches["finish_ns"] - all_batches["start_ns"]
        return {
            "stages": _stages(all_batches),
            "cpu_ms_per_block": _cpu_ms_per_block(all_batches),
            "service_inflation": float(
                np.quantile(wall_ns / np.maximum(all_batches["cpu_ns"], 1_000), 0.99)
            ),
            "queue_share": _queue_share(all_batches),
        }


def _stages(batches: NDArray[np.void]) -> dict[str, dict[str, dict[str, float]]]:
    """Lateness of the wait and service time of the stages, which follow it without a pause."""
    lateness = quantiles_ms(batches["start_ns"] - batches["ready_ns"])
    fetched, computed = batches["fetched_ns"], batches["computed_ns"]
    service = {
        "transfer_in": fetched - batches["start_ns"],
        "compute": computed - fetched,
        "post": batches["finish_ns"] - computed,
    }
    stages = {name: {"service_time": quantiles_ms(time_ns)} for name, time_ns in service.items()}
    return {"wait": {"start_lateness": lateness}, **stages}


def _cpu_ms_per_block(batches: NDArray[np.void]) -> float | None:
    """Median processor time of a worker's whole share of a block, ms; None without a whole one.

    A share begins with its first batch, and the others follow in order.
    """
    begins = np.flatnonzero(batches["first"] == 0)
    if not len(begins):
        return None
    return float(np.median(np.add.reduceat(batches["cpu_ns"], begins)) / 1e6)


def _queue_share(batches: NDArray[np.void]) -> float:
    """Share of blocks whose first batch had to wait for the worker's previous block."""
    first = batches[batches["first"] == 0]
    if not len(first):
        return 0.0
    return float(np.mean(first["ready_ns"] > first["captured_ns"]))


def quantiles_ms(times_ns: NDArray[np.int64]) -> dict[str, float]:
    """The usual four quantiles of times, (n,) nanoseconds, in milliseconds."""
    ordered = np.sort(times_ns) / 1e6
    places = np.ceil(np.array([0.50, 0.95, 0.99]) * len(ordered)).astype(np.intp) - 1
    p50, p95, p99 = ordered[places]
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(ordered[-1])}


class MissTimeline:
    """Blocks submitted and missed in each second of the run, and each block with a miss."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._submitted: Counter[int] = Counter()
        self._missed: Counter[int] = Counter()
        self._missed_at_s: list[float] = []

    def add(self, settled: Settled) -> None:
        """Take in the account of one block."""
        time_s = settled.block * self._period_s
        self._submitted[int(time_s)] += settled.submitted
        if settled.missed:
            self._missed[int(time_s)] += settled.missed
            self._missed_at_s.append(time_s)

    def seconds(self) -> list[tuple[int, int, int]]:
        """(second of the run, submitted, missed), ascending."""
        return [(s, self._submitted[s], self._missed[s]) for s in sorted(self._submitted)]

    def miss_rate_from(self, from_s: float) -> float | None:
        """Missed share from that second of the run on."""
        submitted = sum(n for second, n in self._submitted.items() if second >= from_s)
        missed = sum(n for second, n in self._missed.items() if second >= from_s)
        return missed / submitted if submitted else None

    def recovery_s(self, onset_s: float, end_s: float, clean_s: float = 3.0) -> float | None:
        """Time from the onset of a disturbance to the first of three seconds without a miss.

        0 where nothing was missed; None where no three such seconds came.
        """
        clean_from_s = onset_s
        for missed_at_s in (*(t for t in self._missed_at_s if t >= onset_s), end_s):
            if missed_at_s - clean_from_s >= clean_s:
                return clean_from_s - onset_s
            clean_from_s = missed_at_s + self._period_s
        return None

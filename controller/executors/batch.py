"""Finished batches: what an executor hands on, with the instants of every stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BATCH = np.dtype(
    [
        ("block", np.int64),
        ("shard", np.int64),
        ("first", np.int64),
        ("count", np.int64),
        ("captured_ns", np.int64),
        ("ready_ns", np.int64),
        ("start_ns", np.int64),
        ("fetched_ns", np.int64),
        ("computed_ns", np.int64),
        ("finish_ns", np.int64),
        ("cpu_ns", np.int64),
    ]
)
"""Record of a finished batch: streams `first` to `first + count` of a shard, of one block.

`captured_ns` is when the block was there, `ready_ns` when the batch could have started: then,
or once the worker's previous batch was finished. From `start_ns` to `fetched_ns` the input came
in, until `computed_ns` it was computed, and until `finish_ns` handed on. `cpu_ns` is processor
time, the others are instants on the monotonic clock of the machine that plays.
"""


@dataclass(frozen=True, slots=True, eq=False)
class FinishedBatches:
    """Batches that one worker has finished: BATCH records (n,), and their sound (n, 2, frames).

    Of a shard that changed hands, two workers may hand on the same block: the first counts.
    """

    worker: int
    batches: NDArray[np.void]
    buses: NDArray[np.float32]

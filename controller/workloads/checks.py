"""Conformance checks of the workload contract, to run on a workload of one's own.

    from controller.workloads.checks import CHECKS, check

    @pytest.mark.parametrize("name", CHECKS)
    def test_mine(name):
        check(name, Mine)

Each check plays noise through eight slots, each stream at its own level, block by block as a
worker does. `backend` says where the arrays live: on a CPU unless another is given.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from controller.workloads.arrays import FloatArray
from controller.workloads.backend import Backend
from controller.workloads.backends import numpy_backend
from controller.workloads.workload import Workload, WorkloadSettings

MakeWorkload = Callable[[WorkloadSettings, Backend], Workload]
SETTINGS = WorkloadSettings(sample_rate_hz=48_000, period_frames=256, slots=8)
ALL = range(SETTINGS.slots)
BLOCKS = 12
"""Blocks that are compared, beyond those that a workload remembers."""
TOLERANCE = 1e-5
"""Part of the loudest sample by which two ways to the same sound may differ (-100 dB)."""
OFTEN = 200
"""Blocks over which a workload must not come to hold more memory."""
GROWTH_BYTES = OFTEN * SETTINGS.period_frames
"""Memory that may be gained meanwhile, bytes: a quarter of what one stream's input takes."""
PERIOD_MS = 1000.0 * SETTINGS.period_frames / SETTINGS.sample_rate_hz


class WorkloadFault(AssertionError):  # noqa: N818 - what a workload does wrong
    """A workload does not keep to what is asked of every workload."""


@dataclass
class Bench:
    """A workload at work on noise, or on whatever `sound` makes of a block and its slots."""

    make: MakeWorkload
    backend: Backend
    workload: Workload = field(init=False)

    def __post_init__(self) -> None:
        self.workload = self.make(SETTINGS, self.backend)

    def another(self) -> Bench:
        """A bench with a workload of the same kind that has heard nothing."""
        return Bench(self.make, self.backend)

    def hear(self, blocks: FloatArray, slots: Sequence[int]) -> FloatArray:
        """The stereo bus of one block of each of these slots, (2, period_frames), on the host."""
        xp = self.backend.xp
        heard = self.workload.process(xp.asarray(blocks), xp.asarray(slots, dtype=xp.intp))
        return _on_host(heard)

    def play(self, begin: int, end: int, slots: Sequence[int] = ALL) -> FloatArray:
        """The bus of blocks `begin` to `end` of the noise, (2, frames)."""
        heard = [self.hear(_noise(index, slots), slots) for index in range(begin, end)]
        return np.concatenate((np.zeros((2, 0), np.float32), *heard), axis=1)

    def reset(self, slots: Sequence[int]) -> None:
        """Have the workload forget these slots."""
        self.workload.reset(self.backend.xp.asarray(slots, dtype=self.backend.xp.intp))


def check(name: str, make: MakeWorkload, backend: Backend | None = None) -> None:
    """Run one check on workloads that `make` makes of settings and a backend.

    Raises WorkloadFault, which says what is wrong.
    """
    CHECKS[name](Bench(make, backend or numpy_backend()))


def check_all(make: MakeWorkload, backend: Backend | None = None) -> None:
    """Run all checks."""
    for name in CHECKS:
        check(name, make, backend)


def is_stereo(bench: Bench) -> None:
    """The bus of any number of streams is (2, period_frames) float32, and finite."""
    for count in (*range(1, SETTINGS.slots + 1), 1):
        slots = ALL[-count:]
        for blocks in (_noise(count, slots), 1e-30 * _noise(count, slots)):
            _check_bus(bench.hear(blocks.astype(np.float32), slots))


def is_silent(bench: Bench) -> None:
    """Silence sounds like silence, in slots that have heard nothing else."""
    silence = np.zeros((SETTINGS.slots, SETTINGS.period_frames), np.float32)
    for _ in range(_long(bench)):
        heard = bench.hear(silence, ALL)
        _check_bus(heard)
        if np.abs(heard).max() > TOLERANCE:
            raise WorkloadFault(f"silence sounds, at up to {np.abs(heard).max():g}")


def is_deterministic(bench: Bench) -> None:
    """Equal blocks give equal sound to the bit, in a workload and in another of its kind."""
    end = _long(bench)
    if not np.array_equal(bench.play(0, end), bench.another().play(0, end)):
        raise WorkloadFault("two that hear the same differ")


def is_independent(bench: Bench) -> None:
    """A stream sounds the same beside others as alone."""
    end = _long(bench)
    together = bench.play(0, end)
    alone = sum(bench.another().play(0, end, (slot,)) for slot in ALL)
    _check_alike(together, alone, "streams sound otherwise beside others than alone")


def is_batchable(bench: Bench) -> None:
    """A stream sounds the same in whichever batch it is, and wherever in it."""
    end, one_by_one, shuffled = _long(bench), bench.another(), bench.another()
    for index in range(end):
        together = bench.play(index, index + 1)
        parts = sum(one_by_one.play(index, index + 1, (slot,)) for slot in ALL)
        _check_alike(together, parts, "streams sound otherwise one by one than in one batch")
        turned = shuffled.play(index, index + 1, ALL[::-1] if index % 2 else ALL)
        _check_alike(together, turned, "streams sound otherwise in another order")


def is_movable(bench: Bench) -> None:
    """The last `memory_blocks` blocks make a slot that was reset sound as if always there."""
    moved, since = bench.another(), _long(bench)
    moved.play(7, since - 3)
    moved.reset(ALL)
    bench.play(0, since)
    moved.play(since - bench.workload.memory_blocks, since)
    _check_alike(
        bench.play(since, since + BLOCKS),
        moved.play(since, since + BLOCKS),
        f"a stream that moved after {bench.workload.memory_blocks} blocks (memory_blocks) differs",
    )


def is_forgetful(bench: Bench) -> None:
    """A slot that was reset is as new, and the others go on as if nothing had been."""
    end, new, gone = _long(bench), (1, 4), (0, 2, 3, 5, 6, 7)
    bench.play(0, end)
    bench.reset(new)
    fresh, untouched = bench.another(), bench.another()
    untouched.play(0, end)
    expected = untouched.play(end, end + BLOCKS, gone) + fresh.play(end, end + BLOCKS, new)
    heard = bench.play(end, end + BLOCKS)
    _check_alike(heard, expected, "a slot that was reset is not as new, or another was reset too")


def is_modest(bench: Bench) -> None:
    """Blocks that are handed in are neither written to nor looked at once the call is over."""
    end, another = _long(bench), bench.another()
    lent = bench.backend.xp.zeros((SETTINGS.slots, SETTINGS.period_frames), np.float32)
    slots = bench.backend.xp.asarray(ALL, dtype=bench.backend.xp.intp)
    for index in range(end):
        lent[...] = bench.backend.xp.asarray(_noise(index, ALL))
        heard = _on_host(bench.workload.process(lent, slots))
        if not np.array_equal(_on_host(lent), _noise(index, ALL)):
            raise WorkloadFault("the blocks that are handed in are written to")
        expected = another.hear(_noise(index, ALL), ALL)
        _check_alike(heard, expected, "blocks are looked at after they were lent")


def is_lean(bench: Bench) -> None:
    """The memory it holds does not grow from block to block."""
    blocks = _noise(0, ALL)
    tracemalloc.start()
    try:
        for _ in range(OFTEN):
            bench.hear(blocks, ALL)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(OFTEN):
            bench.hear(blocks, ALL)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    if grown > GROWTH_BYTES:
        raise WorkloadFault(f"over {OFTEN} blocks it comes to hold {grown} more bytes")


def is_swift(bench: Bench) -> None:
    """A block of one stream takes no longer than it sounds, as the median of many."""
    block, took_ms = _noise(0, (0,)), []
    for _ in range(OFTEN):
        started_s = time.perf_counter()
        bench.hear(block, (0,))
        took_ms.append(1000.0 * (time.perf_counter() - started_s))
    median_ms = sorted(took_ms)[OFTEN // 2]
    if median_ms > PERIOD_MS:
        raise WorkloadFault(f"a block takes {median_ms:.1f} ms, and sounds for {PERIOD_MS:.1f} ms")


CHECKS: Mapping[str, Callable[[Bench], None]] = MappingProxyType(
    {
        "stereo": is_stereo,
        "silent": is_silent,
        "deterministic": is_deterministic,
        "independent": is_independent,
        "batchable": is_batchable,
        "movable": is_movable,
        "forgetful": is_forgetful,
        "modest": is_modest,
        "lean": is_lean,
        "swift": is_swift,
    }
)


def _long(bench: Bench) -> int:
    """Blocks after which all that a workload remembers has been replaced."""
    return bench.workload.memory_blocks + BLOCKS


def _noise(index: int, slots: Sequence[int]) -> FloatArray:
    """The block of each slot, (n, period_frames) float32: the same noise each time."""
    blocks = [
        np.random.default_rng((index, slot)).uniform(-1, 1, SETTINGS.period_frames) / (1 + slot)
        for slot in slots
    ]
    return np.array(blocks, np.float32)


def _on_host(array: Any) -> FloatArray:
    host: FloatArray = array.get() if hasattr(array, "get") else array
    return host


def _check_bus(heard: object) -> None:
    expected = (2, SETTINGS.period_frames)
    if not isinstance(heard, np.ndarray) or heard.shape != expected or heard.dtype != np.float32:
        told = f"{getattr(heard, 'dtype', type(heard).__name__)} {getattr(heard, 'shape', '')}"
        raise WorkloadFault(f"the bus is {told}, and must be float32 {expected}")
    if not np.isfinite(heard).all():
        raise WorkloadFault("the bus is not finite")


def _check_alike(one: FloatArray, other: FloatArray | int, what: str) -> None:
    apart = np.abs(one - other).max() / max(np.abs(one).max(), np.finfo(np.float32).tiny)
    if not apart <= TOLERANCE:
        raise WorkloadFault(f"{what}, by up to {apart:.2g} of the loudest sample")

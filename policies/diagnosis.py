"""Which resource holds the blocks up, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Bottleneck(StrEnum):
    """Causes that keep blocks from being on time.

    NONE: nothing does. QUEUEING: blocks wait for other blocks of ours. PREEMPTION: they wait
    for threads that are not ours. OVERLOAD: the work itself does not fit the period.
    STEAL: the hypervisor took the processor. GIL: a thread of the same interpreter holds it.
    FREQUENCY: the processor runs slower than it can. GPU: the device is busy all the time.
    GPU_MEMORY: streams find no room in its memory. TRANSFER: most of its time goes into copies.
    UNKNOWN: blocks are missed and no evidence says why.
    """

    NONE = "none"
    QUEUEING = "queueing"
    PREEMPTION = "preemption"
    OVERLOAD = "overload"
    STEAL = "steal"
    GIL = "gil"
    FREQUENCY = "frequency"
    GPU = "gpu"
    GPU_MEMORY = "gpu_memory"
    TRANSFER = "transfer"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Bottleneck | None:
        """GPU_MEMORY by the name that older journals have for it."""
        return cls.GPU_MEMORY if value == "memory" else None


TOO_MUCH_FOR_A_NODE = (
    Bottleneck.OVERLOAD,
    Bottleneck.GPU,
    Bottleneck.GPU_MEMORY,
    Bottleneck.TRANSFER,
)
"""Bottlenecks of which a longer period has no less, and that enough nodes relieve in the end."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A measured figure behind a diagnosis, with the limit it was held against."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" (limit {self.limit:.3g})"
        return f"{self.name} {self.value:.3g} {self.unit}".rstrip() + limit


@dataclass(frozen=True, slots=True)
class Breach:
    """A component whose tracked latency passed its threshold."""

    component: str
    value_ms: float
    threshold_ms: float

    def __str__(self) -> str:
        return f"{self.component} {self.value_ms:.2f} ms (threshold {self.threshold_ms:.2f} ms)"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The bottleneck, the evidence for it, and the knobs that could help, cheapest first.

    `helpful_knobs` is empty when none of this plant's knobs helps: then nothing should be
    turned, and `summary` says so.
    """

    bottleneck: Bottleneck
    summary: str
    evidence: tuple[Evidence, ...] = ()
    breaches: tuple[Breach, ...] = ()
    helpful_knobs: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()

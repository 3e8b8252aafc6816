"""Figures of the owner's document, which ours stand beside; none of them was measured by us."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SOURCE: Final = "the owner's document"

REDUCTION_WITH_VRAM_PERCENT: Final[Mapping[str, float]] = MappingProxyType(
    {"HRTF": 67.0, "spectrogram": 70.0, "FFT": 68.0}
)
"""Percent of latency that a pool of device memory saves, by workload."""

SPEED_UP: Final[Mapping[str, float]] = MappingProxyType(
    {"HRTF": 16.0, "spectrogram": 10.0, "FFT": 10.0}
)
"""Times that a GPU is faster than a processor, by workload."""

OPTIMISED_PERCENT: Final = (80.0, 73.0, 90.0, 88.0)
"""Percent from baseline to optimised, in the document's order: four components of its own."""

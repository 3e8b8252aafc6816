"""Allocation traces: the arena beside CuPy's pools, by how long an allocation waits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic

import numpy as np

from controller.errors import DeviceMemoryError
from controller.executors.gpu.cupy_allocations import counted
from controller.executors.vram.traces import AllocationTrace, Allocator, Held, TraceWriter, replay
from controller.executors.vram.usage import USAGES_OF_STREAMS, Usage
from kapellmeister.bench.hardware.experiment import NEEDS_CUDA, Experiment, Found
from kapellmeister.bench.hardware.figures import Absent, Goal, Measured, Planned
from kapellmeister.bench.hardware.rig import Rig

FILL = 0.8
"""Share of the memory that is asked for at any time."""

"""The arrays that workloads take and give."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass


FloatArray: TypeAlias = NDArray[np.float32]


DoubleArray: TypeAlias = NDArray[np.float64]


IntArray: TypeAlias = NDArray[np.intp]

"""Arrays as plain JSON, to the last bit."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.policy import State


def encode(array: NDArray[Any]) -> State:
    """Kind, shape and bytes of an array."""
    text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
    return [array.dtype.str, list(array.shape), text]


def decode(plain: Any) -> NDArray[Any]:
    """The array that `encode` was given. Raises ValueError for anything else."""
    kind, shape, text = plain
    return np.frombuffer(base64.b64decode(text), np.dtype(kind)).reshape(shape).copy()


def encode_all(values: dict[str, Any]) -> State:
    """Encode the arrays among values that are plain otherwise."""
    return {
        name: {"array": encode(each)} if isinstance(each, np.ndarray) else each
        for name, each in values.items()
    }


def decode_all(plain: Any) -> dict[str, Any]:
    """The values that `encode_all` was given."""
    return {
        name: decode(each["array"]) if isinstance(each, dict) and "array" in each else each
        for name, each in plain.items()
    }

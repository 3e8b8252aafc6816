"""The outcome of a job as it travels between processes."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

from controller.errors import JobError


@dataclass(frozen=True, slots=True)
class Raised:
    """The words of an error that a job raised: not every error can be pickled."""

    why: str


def unpacked(outcome: bytes) -> Any:
    """The outcome of a job: its result, or Ended. Raises JobError for a job that raised."""
    found = pickle.loads(outcome)
    if isinstance(found, Raised):
        raise JobError(found.why)
    return found

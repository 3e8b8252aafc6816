"""The processors of this machine."""

from __future__ import annotations

import os


def share_of_all_cpus(share: float) -> float:
    """A share of all processor time as a share of one processor."""
    return share * (os.cpu_count() or 1)

"""How a Dask cluster is opened: its class, its options, and how long is waited for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHORT_NAMES = {
    "local": "distributed:LocalCluster",
    "slurm": "dask_jobqueue:SLURMCluster",
}
"""Clusters that are chosen by a short name."""


@dataclass(frozen=True, slots=True)
class DaskSettings:
    """The cluster that Dask workers come from.

    `cluster` is one of SHORT_NAMES or MODULE:CLASS of a distributed.deploy.Cluster, and `options`
    are what its constructor takes. A worker whose process has ended is started again by its nanny;
    one that stays away for `nanny_grace_s` is asked for anew, and so is one that has never been
    seen for `pending_patience_s`: jobs may wait in a queue for long.
    """

    cluster: str = "local"
    options: Mapping[str, Any] = field(default_factory=dict)
    nanny_grace_s: float = 1.5
    pending_patience_s: float = 3600.0

    @property
    def class_path(self) -> str:
        """MODULE:CLASS of the cluster."""
        return SHORT_NAMES.get(self.cluster, self.cluster)

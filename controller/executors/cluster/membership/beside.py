"""The part of membership that runs in a Dask worker: a node process beside it."""

from __future__ import annotations

import socket
from threading import Thread
from typing import Any

from controller.executors.cluster.membership.membership import NodeCommand
from controller.executors.cluster.membership.node_process import NodeProcess

TOPIC = "kapellmeister-nodes"
"""Topic of Dask's events by which nodes are heard of."""
_RUNNING: dict[str, NodeProcess] = {}


def start_beside(command: NodeCommand, node: str, dask_worker: Any) -> None:
    """Start a node, which ends with the worker; what becomes of it is told by events.

    Called in the thread of the worker's event loop, which lives as long as the worker does. A node
    that was started here before is ended first. Raises OSError where no process is granted.
    """
    for other in tuple(_RUNNING):
        end_beside(other)
    _RUNNING[node] = process = NodeProcess(command, node)
    where = {"host": socket.gethostname(), "pid": process.pid, "worker": dask_worker.address}
    dask_worker.log_event(TOPIC, {"node": node, **where})
    Thread(target=_tell, args=(process, node, dask_worker), daemon=True).start()


def end_beside(node: str) -> None:
    """End a node; harmless where it is gone."""
    if (process := _RUNNING.pop(node, None)) is not None:
        process.kill()


def _tell(process: NodeProcess, node: str, worker: Any) -> None:
    for told in process.follow():
        said = {"ready": told.is_ready, "reason": told.reason, "address": told.address}
        worker.log_event(TOPIC, {"node": node, **said})
    worker.log_event(TOPIC, {"node": node, "ended": process.status()})
    process.end()

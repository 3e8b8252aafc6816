"""Membership on real clusters of Dask: one host, and jobs that are lost for good."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from awaited import until
from cluster_rig import counted, dask_workers, parent, ready, settled
from scripted_node import READY, READY_NODE, kill, lives, scripted

from controller.errors import MembershipError
from controller.executors.cluster.membership.dask import DaskMembership
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.executors.cluster.membership.membership import NodeCommand

pytestmark = [pytest.mark.dask, pytest.mark.timeout(90)]
pytest.importorskip("distributed", reason="dask.distributed is not installed")
JOBS = DaskSettings("dask_jobqueue:LocalCluster", {"interface": "lo"})
"""Jobs as programs of this machine, which nobody starts again."""


@pytest.fixture
def opened() -> Iterator[Callable[..., DaskMembership]]:
    made: list[DaskMembership] = []

    def open_(settings: DaskSettings | None = None, *arguments: str) -> DaskMembership:
        made.append(DaskMembership(NodeCommand(arguments or READY_NODE), settings))
        made[-1].start()
        return made[-1]

    yield open_
    for each in made:
        each.close()


def test_nodes_come_and_go_with_what_is_wanted(opened) -> None:
    membership = opened()
    membership.want(1)
    ready(membership, 1)
    membership.want(3)
    kept, *others = ready(membership, 3)
    membership.want(1)
    settled(membership, lambda nodes: counted(nodes)["draining"] == 2)
    assert all(lives(node.pid) for node in others)
    for node in others:
        membership.release(node.name)
    settled(membership, lambda nodes: [each.name for each in nodes] == [kept.name])
    until(lambda: not any(lives(node.pid) for node in others))
    until(lambda: len(dask_workers(membership)) == 1)


def test_a_killed_worker_takes_its_node_along_and_both_are_back(opened) -> None:
    membership = opened()
    membership.want(2)
    lost, kept = ready(membership, 2)
    kill(parent(lost.pid))
    back = settled(membership, lambda nodes: ready_names(nodes) and lost.name not in names(nodes))
    until(lambda: not lives(lost.pid))
    assert kept.name in names(back)


def names(nodes) -> list[str]:
    return [node.name for node in nodes]


def ready_names(nodes) -> bool:
    return counted(nodes)["ready"] == 2

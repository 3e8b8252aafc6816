"""Membership on real clusters of Dask: one host, and jobs that are lost for good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from awaited import until
from cluster_rig import counted, dask_workers, listening, parent, ready, replaced, settled
from scripted_node import READY_NODE, kill, lives

from controller.errors import MembershipError
from controller.executors.cluster.membership.dask import DaskMembership
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.executors.cluster.membership.membership import Node, NodeCommand

pytestmark = [pytest.mark.dask, pytest.mark.timeout(90)]
pytest.importorskip("distributed", reason="dask.distributed is not installed")
JOBS = DaskSettings("dask_jobqueue.local:LocalCluster", {"interface": "lo"})
"""Jobs as programs of this machine, which nobody starts again."""

WANTS_ONE = f"""
import signal
from controller.executors.cluster.membership.dask import DaskMembership
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.executors.cluster.membership.membership import NodeCommand
membership = DaskMembership(NodeCommand({READY_NODE}), {JOBS!r})
membership.start()
membership.want(1)
while not [node for node in membership.nodes() if node.state.value == "ready"]:
    membership.advance()
print(membership.process, membership.nodes()[0].pid, flush=True)
signal.pause()
"""


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


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
    assert kept.name in [node.name for node in replaced(membership, lost, 2)]
    until(lambda: not lives(lost.pid))


def test_a_killed_node_is_replaced_beside_the_same_worker(opened) -> None:
    membership = opened()
    membership.want(1)
    (node,) = ready(membership, 1)
    worker = parent(node.pid)
    kill(node.pid)
    (other,) = replaced(membership, node, 1)
    assert parent(other.pid) == worker
    lost = [event.reason for event in membership.events() if event.name == node.name]
    assert lost[-1] == "it was ended by SIGKILL"


def test_a_frozen_node_that_was_given_up_is_ended_and_replaced(opened) -> None:
    membership = opened()
    membership.want(1)
    (node,) = ready(membership, 1)
    os.kill(node.pid, signal.SIGSTOP)
    membership.give_up(node.name, "it missed its deadline")
    replaced(membership, node, 1)
    until(lambda: not lives(node.pid))


def test_a_frozen_worker_is_replaced_and_its_node_ends_with_it(opened) -> None:
    membership = opened()
    membership.want(1)
    (node,) = ready(membership, 1)
    os.kill(parent(node.pid), signal.SIGSTOP)
    replaced(membership, node, 1)
    until(lambda: not lives(node.pid))


def test_a_lost_job_is_asked_for_anew(opened) -> None:
    membership = opened(JOBS)
    membership.want(2)
    node, kept = ready(membership, 2)
    worker = parent(node.pid)
    nanny = parent(worker)
    kill(nanny)
    assert kept.name in [each.name for each in replaced(membership, node, 2)]
    until(lambda: not (lives(node.pid) or lives(worker)))


def test_a_cluster_beyond_this_machine_has_certificates_made_at_its_start(opened) -> None:
    pytest.importorskip("cryptography", reason="cryptography, which makes them, is not installed")
    security = {"security": True, "protocol": "tls://"}
    membership = opened(DaskSettings(JOBS.cluster, {**JOBS.options, **security}))
    membership.want(1)
    (node,) = ready(membership, 1)
    worker = Path(f"/proc/{parent(parent(node.pid))}/cmdline").read_bytes()
    assert b"tls://127.0.0.1" in worker


def test_a_worker_killed_inside_a_job_is_started_again_by_its_nanny(opened) -> None:
    membership = opened(JOBS)
    membership.want(1)
    (node,) = ready(membership, 1)
    nanny = parent(parent(node.pid))
    kill(parent(node.pid))
    (other,) = replaced(membership, node, 1)
    assert parent(parent(other.pid)) == nanny


def test_nothing_is_reachable_from_elsewhere(opened) -> None:
    membership = opened(JOBS)
    membership.want(1)
    (node,) = ready(membership, 1)
    involved = [membership.process, parent(node.pid), parent(parent(node.pid))]
    assert {host for pid in involved for host in listening(pid)} == {"127.0.0.1"}


def test_a_node_that_never_becomes_ready_is_said_with_its_last_words(opened) -> None:
    line = """print('{"ready": false, "reason": "no such file"}', flush=True)"""
    membership = opened(None, "{python}", "-IS", "-c", line)
    membership.want(1)
    nodes = settled(membership, lambda nodes: counted(nodes)["lost"])
    assert (
        nodes[0].reason == "it ended with status 0 before it was ready; last it said: no such file"
    )


def test_a_worker_that_cannot_start_is_the_reason_why_its_node_is_still_wanted(opened) -> None:
    membership = opened(DaskSettings("local", {"colour": "red"}))
    membership.want(1)
    nodes = settled(membership, lambda nodes: nodes and nodes[0].reason != "asked for")
    assert nodes[0].state.value == "wanted"
    assert nodes[0].reason.startswith("the cluster has no worker for it: ")


def test_all_ends_with_the_process_that_keeps_the_cluster_and_comes_back(opened) -> None:
    membership = opened()
    membership.want(2)
    before = ready(membership, 2)
    kill(membership.process)
    nodes = settled(membership, lambda nodes: counted(nodes)["lost"] == 2)
    assert nodes[0].reason == "the process that kept the Dask cluster has ended"
    until(lambda: not any(lives(node.pid) for node in before))
    ready(membership, 2)


def test_nothing_is_left_behind_when_the_process_that_wanted_it_is_killed() -> None:
    with subprocess.Popen((sys.executable, "-c", WANTS_ONE), stdout=subprocess.PIPE) as wanting:
        assert wanting.stdout is not None
        manager, node = map(int, wanting.stdout.readline().split())
        left = [manager, node, parent(node), parent(parent(node))]
        assert all(map(lives, left))
        wanting.kill()
    until(lambda: not any(map(lives, left)))


def test_nothing_is_left_behind_when_it_is_closed(opened) -> None:
    membership = opened(JOBS)
    membership.want(2)
    nodes = ready(membership, 2)
    left = [*nodes_and_workers(nodes), membership.process]
    membership.close()
    until(lambda: not any(map(lives, left)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (DaskSettings("distributed:Nowhere"), "name it as MODULE:CLASS"),
        (DaskSettings("nowhere_at_all:Cluster"), "install it, or name another"),
        (DaskSettings("dask_jobqueue.local:LocalCluster"), "would listen on every address"),
        (
            DaskSettings(
                "dask_jobqueue.local:LocalCluster", {"scheduler_options": {"host": "0.0.0.0"}}
            ),
            "would listen on 0.0.0.0 openly; set security = true",
        ),
        (DaskSettings("dask_jobqueue:PBSCluster", {"interface": "lo"}), "qsub is not installed"),
        (
            DaskSettings("local", {"scheduler_kwargs": 3}),
            "LocalCluster does not open: .int. object",
        ),
    ],
)
def test_a_cluster_that_cannot_be_opened_is_refused_with_a_remedy(settings, said) -> None:
    with pytest.raises(MembershipError, match=said):
        DaskMembership(NodeCommand(READY_NODE), settings).start()


def nodes_and_workers(nodes: tuple[Node, ...]) -> list[int]:
    workers = [parent(node.pid) for node in nodes]
    return [*[node.pid for node in nodes], *workers, *map(parent, workers)]

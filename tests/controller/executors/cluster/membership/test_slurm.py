"""Membership on a real Slurm of one host, whose jobs are Dask workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import slurm
from awaited import until
from cluster_rig import counted, ready, replaced
from scripted_node import READY_NODE, kill, lives
from slurm import Slurm

from controller.executors.cluster.membership.dask import DaskMembership
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.executors.cluster.membership.membership import NodeCommand

pytestmark = [pytest.mark.dask, pytest.mark.slow, pytest.mark.timeout(120)]
pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")


@pytest.fixture(scope="module")
def queue() -> Iterator[Slurm]:
    with slurm.serving() as served:
        yield served


@pytest.fixture
def membership(queue: Slurm, monkeypatch, tmp_path: Path) -> Iterator[DaskMembership]:
    for name, value in queue.environment.items():
        monkeypatch.setenv(name, value)
    options = {"interface": "lo", "memory": "500MB", "log_directory": str(tmp_path)}
    made = DaskMembership(NodeCommand(READY_NODE), DaskSettings("slurm", options))
    made.start()
    yield made
    made.close()


def test_each_node_is_a_job_and_none_is_left_at_the_end(membership, queue) -> None:
    membership.want(1)
    ready(membership, 1)
    membership.want(3)
    kept, *others = ready(membership, 3)
    assert len(queue.jobs()) == 3
    membership.want(1)
    for node in others:
        membership.release(node.name)
    until(lambda: len(queue.jobs()) == 1 and not any(lives(node.pid) for node in others))
    assert [node.name for node in ready(membership, 1)] == [kept.name]
    membership.close()
    until(lambda: queue.jobs() == [] and not lives(kept.pid))


def test_a_cancelled_job_is_asked_for_anew_and_the_others_stay(membership, queue) -> None:
    membership.want(2)
    first, second = ready(membership, 2)
    queue.cancel(queue.jobs()[0])
    until(lambda: membership.advance() or counted(membership.nodes())["lost"])
    (lost,) = [node for node in membership.nodes() if node.state.value == "lost"]
    (kept,) = {first.name, second.name} - {lost.name}
    assert kept in [node.name for node in replaced(membership, lost, 2)]
    until(lambda: not lives(lost.pid))


def test_a_job_for_which_there_is_no_room_waits_in_the_queue(membership, queue) -> None:
    membership.want(5)
    until(lambda: membership.advance() or counted(membership.nodes())["ready"] == 4, 60)
    assert counted(membership.nodes())["wanted"] == 1
    queue.cancel(queue.jobs()[-1])
    until(lambda: membership.advance() or counted(membership.nodes())["lost"])
    until(lambda: membership.advance() or counted(membership.nodes())["ready"] == 4, 30)
    until(lambda: len(queue.jobs()) == 5)


def test_jobs_end_with_the_process_that_kept_the_cluster_and_others_come(membership, queue) -> None:
    membership.want(2)
    ready(membership, 2)
    jobs = set(queue.jobs())
    kill(membership.process)
    until(lambda: membership.advance() or counted(membership.nodes())["lost"] == 2)
    until(lambda: not jobs & set(queue.jobs()))
    ready(membership, 2)
    assert len(queue.jobs()) == 2

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from awaited import until
from scripted_node import READY, READY_NODE, kill, lives, scripted

from controller.errors import MembershipError
from controller.executors.cluster.membership.local_processes import LocalProcesses
from controller.executors.cluster.membership.membership import Node, NodeCommand, NodeState


@pytest.fixture
def started() -> Iterator[Callable[..., LocalProcesses]]:
    made: list[LocalProcesses] = []

    def start(*arguments: str, **environment: str) -> LocalProcesses:
        made.append(LocalProcesses(NodeCommand(arguments, environment)))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.close()


def ready(membership: LocalProcesses, count: int) -> tuple[Node, ...]:
    """Wait until so many are ready."""

    def found() -> tuple[Node, ...]:
        membership.advance()
        nodes = [node for node in membership.nodes() if node.state is NodeState.READY]
        return tuple(nodes) if len(nodes) == count else ()

    return until(found)


def test_nodes_start_and_become_ready(started) -> None:
    membership = started(*READY_NODE)
    membership.want(2)
    assert [node.name for node in ready(membership, 2)] == ["local-1", "local-2"]


def test_a_killed_node_is_replaced_under_another_name(started) -> None:
    membership = started(*READY_NODE)
    membership.want(2)
    kill(ready(membership, 2)[0].pid)
    until(lambda: membership.advance() or len(membership.nodes()) == 3)
    assert membership.nodes()[0].reason == "it was ended by SIGKILL"
    assert [node.name for node in ready(membership, 2)] == ["local-2", "local-3"]


def test_a_node_that_is_no_longer_wanted_runs_until_it_is_released(started) -> None:
    membership = started(*READY_NODE)
    membership.want(1)
    (node,) = ready(membership, 1)
    membership.want(0)
    membership.advance()
    assert (membership.nodes()[0].state.value, lives(node.pid)) == ("draining", True)
    membership.release(node.name)
    assert (membership.nodes(), lives(node.pid)) == ((), False)


def test_a_frozen_node_that_was_given_up_is_ended_and_replaced(started) -> None:
    membership = started(*READY_NODE)
    membership.want(1)
    (node,) = ready(membership, 1)
    os.kill(node.pid, signal.SIGSTOP)
    membership.give_up(node.name, "it missed its deadline")
    assert (membership.nodes()[0].reason, lives(node.pid)) == ("it missed its deadline", False)
    assert ready(membership, 1)[0].name == "local-2"


def test_a_node_that_ends_before_it_is_ready_is_started_again_after_a_pause(started) -> None:
    line = """print('{"ready": false, "reason": "no such file"}', flush=True)"""
    membership = started("{python}", "-IS", "-c", line)
    membership.want(1)
    until(lambda: membership.advance() or len(membership.nodes()) == 2)
    lost, wanted = membership.nodes()
    assert lost.reason == "it ended with status 0 before it was ready; last it said: no such file"
    membership.advance()
    assert wanted.state is NodeState.WANTED
    assert membership.nodes()[1].state is NodeState.WANTED


def test_a_program_that_does_not_exist_ends_with_a_status_and_is_tried_again(started) -> None:
    membership = started("/nowhere/node")
    membership.want(1)
    until(lambda: membership.advance() or len(membership.nodes()) >= 2)
    assert membership.nodes()[0].reason.startswith("it ended with status 1 before it was ready")


def test_a_node_is_told_its_name_and_its_environment(started) -> None:
    where = "address = os.environ['PLACE'] + '/{node}'"
    told = "print(json.dumps({'ready': True, 'address': address}), flush=True)"
    membership = started(*scripted("import json, os", where, told), PLACE="studio")
    membership.want(1)
    assert ready(membership, 1)[0].address == "studio/local-1"


def test_other_lines_of_a_node_are_no_news(started) -> None:
    membership = started(*scripted("print('hello'); print('[1, 2]'); print('{}')", READY))
    membership.want(1)
    ready(membership, 1)
    assert [node.state.value for node in membership.events()] == ["wanted", "starting", "ready"]


def test_an_empty_command_is_refused_with_a_remedy() -> None:
    with pytest.raises(MembershipError, match="the command of a node is empty; name a program"):
        LocalProcesses(NodeCommand(())).start()


def test_a_stopped_node_ends_with_the_process_that_started_it() -> None:
    program = (
        "import os, signal, sys\n"
        "from controller.executors.cluster.membership.membership import NodeCommand\n"
        "from controller.executors.cluster.membership.node_process import NodeProcess\n"
        f"node = NodeProcess(NodeCommand({READY_NODE!r}), 'n')\n"
        "next(node.follow())\n"
        "os.kill(node.pid, signal.SIGSTOP)\n"
        "print(node.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20
    )
    until(lambda: not lives(int(done.stdout)))

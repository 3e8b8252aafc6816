"""A conversation with a pipeline that does not come to listening."""

from __future__ import annotations

import socket

import pytest

from controller.pipeline.files import SOCKET_NAME
from controller.plants.builtin.connection import Connection


@pytest.fixture
def stalled(tmp_path):
    """A pipeline that lives, and accepts nobody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / SOCKET_NAME))
        listener.listen(1)
        yield tmp_path


def test_a_stalled_pipeline_is_not_taken_for_a_dead_one(stalled):
    conversations = [Connection(stalled, patience_s=0.01) for _ in range(6)]
    assert [each.ask("observe") for each in conversations] == [None] * 6
    for each in conversations:
        each.order_report(0)


def test_a_pipeline_whose_queue_of_callers_is_full_is_stalled(stalled):
    callers = []
    for _ in range(8):
        caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        caller.setblocking(False)
        caller.connect_ex(str(stalled / SOCKET_NAME))
        callers.append(caller)
    conversation = Connection(stalled, patience_s=0.01)
    conversation.order_report(0)
    assert conversation.ask("observe") is None
    for caller in callers:
        caller.close()


def test_a_pipeline_that_is_gone_is_found_out(tmp_path):
    with pytest.raises(ConnectionError, match="no pipeline answers"):
        Connection(tmp_path).ask("observe")

"""Greetings: who a peer is, and whether it renders the same."""

from dataclasses import replace

import pytest

from controller.errors import FrameError
from controller.executors.cluster.links.frame import Frame, Kind
from controller.executors.cluster.links.hello import (
    Hello,
    check_hello,
    decoded_hello,
    farewell_frame,
    farewell_reason,
    hello_frame,
)

OURS = Hello("master", "1.0", spec_sha256="aa11", sofa_sha256="bb22")


def test_a_greeting_arrives_as_it_was_said():
    assert decoded_hello("alpha", hello_frame(OURS)) == OURS


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[1, 2]",
        b'{"name": "n"}',
        b'{"name": 1, "version": "1.0"}',
        b'{"name": "n", "version": "1.0", "spec_sha256": 4}',
        b'{"name": "n", "version": "1.0", "more": 4}',
        b"\xff\xfe\x00",
        b"[" * 4000,
    ],
)
def test_what_is_no_greeting_is_refused(payload):
    with pytest.raises(FrameError, match="a greeting that is none"):
        decoded_hello("alpha", Frame(Kind.HELLO, payload))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": "0.9"}, "kapellmeister '0.9' there and '1.0' here"),
        ({"spec_sha256": "cc33"}, "another description of the pipeline there"),
        ({"sofa_sha256": "cc33"}, "another SOFA file there"),
    ],
)
def test_a_peer_that_would_render_something_else_is_refused(change, why):
    with pytest.raises(FrameError, match=why):
        check_hello("alpha", OURS, replace(OURS, name="node-1", **change))


def test_a_node_that_has_not_been_told_yet_is_welcome():
    check_hello("alpha", OURS, Hello("node-1", "1.0"))


def test_a_reason_of_a_stranger_cannot_write_on_the_terminal():
    reason = farewell_reason(Frame(Kind.BYE, b"go\x1b[2Jaway\n\xff"))
    assert reason == "go [2Jaway \N{REPLACEMENT CHARACTER}"
    assert len(farewell_reason(farewell_frame("x" * 10_000))) == 300

"""TLS of both ends, with certificates made for the test."""

import socket
from dataclasses import replace

import pytest
from link_pair import MASTER, encrypted_ends, listening_end, turn_until

from controller.errors import MissingExtraError
from controller.executors.cluster.links.encryption import authority as authorities
from controller.executors.cluster.links.encryption.authority import Authority
from controller.executors.cluster.links.frame import Frame, Kind

NEEDED = "cryptography is not installed (extra: cluster)"


@pytest.fixture(scope="module")
def authority():
    pytest.importorskip("cryptography", reason=NEEDED)
    return Authority()


@pytest.fixture
def ends(authority):
    """Two ends of one start, with an open link."""
    with encrypted_ends(authority.issue("master"), authority.issue("node-1")) as ends:
        master, node, link = ends
        turn_until(lambda: link.is_open and bool(master.opened), master, node)
        yield ends


def refused(of_master, of_node):
    """Errors of both ends that do not come together, the master's first."""
    with encrypted_ends(of_master, of_node) as (master, node, link):
        turn_until(lambda: bool(master.closed) and bool(node.closed), master, node)
    assert not master.opened
    return str(master.closed[0].error), str(link.error)


def test_blocks_come_across_encrypted_and_in_order(ends):
    master, node, link = ends
    for sequence in range(20):
        assert link.send(Frame(Kind.BUS, bytes([sequence]) * 40_000, sequence=sequence))
    turn_until(lambda: len(master.frames) == 20, master, node)
    for sequence, frame in enumerate(master.frames):
        assert frame.payload == bytes([sequence]) * 40_000


def test_an_encrypted_peer_that_does_not_read_stalls_its_link(ends):
    master, node, link = ends
    taken = 0
    while link.send(Frame(Kind.BUS, bytes(50_000), sequence=taken)):
        taken += 1
        assert taken < 1000
    assert link.waiting_bytes <= 2 << 20
    turn_until(lambda: len(master.frames) == taken, master, node)
    assert [frame.sequence for frame in master.frames] == list(range(taken))
    assert link.stalled_ns is None


def test_an_end_of_another_start_is_refused_by_the_node(authority):
    _, error = refused(Authority().issue("master"), authority.issue("node-1"))
    assert "no encrypted connection" in error
    assert "credentials of the same start" in error


def test_an_end_of_another_start_is_refused_by_the_master(authority):
    trusted = authority.issue("node-1").authority_pem
    theirs = replace(Authority().issue("node-1"), authority_pem=trusted)
    error, _ = refused(authority.issue("master"), theirs)
    assert "no encrypted connection" in error


def test_a_node_cannot_stand_in_for_the_master(authority):
    _, error = refused(authority.issue("node-2"), authority.issue("node-1"))
    assert "no encrypted connection" in error


def test_a_plain_peer_of_an_encrypted_end_is_refused(authority):
    assert all(refused(authority.issue("master"), None))


def test_a_stranger_who_begins_no_handshake_is_refused(authority):
    with (
        listening_end(MASTER, authority.issue("master")) as (master, address),
        socket.create_connection((address.host, address.port)) as stranger,
    ):
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        turn_until(lambda: bool(master.closed), master)
    assert "no encrypted connection" in str(master.closed[0].error)


def test_a_key_is_not_printed_with_its_credentials(authority):
    assert "PRIVATE" not in repr(authority.issue("node-1"))


def test_without_the_package_the_extra_is_named(monkeypatch):
    def absent():
        raise ImportError("cryptography")

    monkeypatch.setattr(authorities, "_new_key", absent)
    with pytest.raises(MissingExtraError, match=r"kapellmeister\[cluster\]"):
        Authority()

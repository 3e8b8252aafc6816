"""TLS of both ends, with certificates made for the test."""

import socket

import pytest
from link_pair import MASTER, NODE, connecting_end, listening_end, turn_until

from controller.executors.cluster.links.encryption.authority import Authority
from controller.executors.cluster.links.frame import Frame, Kind

pytest.importorskip("cryptography", reason="cryptography is not installed (extra: cluster)")


@pytest.fixture(scope="module")
def authority():
    return Authority()


def test_blocks_come_across_encrypted(authority):
    with listening_end(MASTER, authority.issue("master")) as (master, address):
        with connecting_end(address, NODE, authority.issue("node-1")) as (node, link):
            turn_until(lambda: link.is_open and bool(master.opened), master, node)
            for sequence in range(20):
                assert link.send(Frame(Kind.BUS, bytes([sequence]) * 40_000, sequence=sequence))
            turn_until(lambda: len(master.frames) == 20, master, node)
    assert {
        bytes(frame.payload) == bytes([frame.sequence]) * 40_000 for frame in master.frames
    } == {True}


def test_an_encrypted_peer_that_does_not_read_stalls_its_link(authority):
    with listening_end(MASTER, authority.issue("master")) as (master, address):
        with connecting_end(address, NODE, authority.issue("node-1")) as (node, link):
            turn_until(lambda: link.is_open and bool(master.opened), master, node)
            taken = 0
            while link.send(Frame(Kind.BUS, bytes(50_000), sequence=taken)):
                taken += 1
                assert taken < 1000
            turn_until(lambda: link.stalled_ns is None, master, node)
            turn_until(lambda: len(master.frames) == taken, master, node)
    assert [frame.sequence for frame in master.frames] == list(range(taken))


@pytest.mark.parametrize("who", ["another start", "a node in the master's place"])
def test_an_end_with_a_certificate_that_does_not_fit_is_refused(authority, who):
    other = Authority() if who == "another start" else authority
    theirs = other.issue("master" if who == "another start" else "node-2")
    with listening_end(MASTER, theirs) as (master, address):
        with connecting_end(address, NODE, authority.issue("node-1")) as (node, link):
            turn_until(lambda: bool(node.closed), master, node)
    assert "no encrypted connection" in str(link.error)
    assert "credentials of the same start" in str(link.error)


def test_a_node_of_another_start_is_refused_by_the_master(authority):
    theirs = Authority().issue("node-1")
    mixed = type(theirs)(
        "node-1", authority.issue("x").authority_pem, theirs.certificate_pem, theirs.key_pem
    )
    with listening_end(MASTER, authority.issue("master")) as (master, address):
        with connecting_end(address, NODE, mixed) as (node, _):
            turn_until(lambda: bool(master.closed) and bool(node.closed), master, node)
    assert not master.opened
    assert "no encrypted connection" in str(master.closed[0].error)


def test_a_plain_peer_of_an_encrypted_end_is_refused(authority):
    with listening_end(MASTER, authority.issue("master")) as (master, address):
        with connecting_end(address, NODE, None) as (node, link):
            turn_until(lambda: bool(master.closed) and bool(node.closed), master, node)
    assert not master.opened
    assert link.error is not None


def test_a_key_is_not_printed_with_its_credentials(authority):
    assert "PRIVATE" not in repr(authority.issue("node-1"))


def test_a_stranger_who_begins_no_handshake_is_refused(authority):
    with listening_end(MASTER, authority.issue("master")) as (master, address):
        with socket.create_connection((address.host, address.port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            turn_until(lambda: bool(master.closed), master)
    assert "no encrypted connection" in str(master.closed[0].error)

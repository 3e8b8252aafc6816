"""Addresses: what may be listened on, and what others can reach."""

from ipaddress import ip_address

import pytest

from controller.errors import AddressError
from controller.executors.cluster.links.address import (
    Address,
    check_listening,
    check_reachable,
    parsed_address,
    resolved,
)


def resolving(*numbers):
    return lambda host: tuple(ip_address(number) for number in numbers)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("10.0.0.5:7400", "10.0.0.5", 7400), ("[::1]:0", "::1", 0), ("alpha:65535", "alpha", 65535)],
)
def test_an_address_reads_as_it_is_written(text, host, port):
    assert parsed_address(text) == Address(host, port)
    assert str(parsed_address(text)) == text


@pytest.mark.parametrize("text", ["alpha", ":7400", "alpha:", "alpha:65536", "::1:7400", "a:-1"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(AddressError, match="write it as"):
        parsed_address(text)


@pytest.mark.parametrize(
    ("number", "is_encrypted", "why"),
    [
        ("10.0.0.5", False, "the link is not encrypted"),
        ("0.0.0.0", True, "every network"),
        ("::", True, "every network"),
    ],
)
def test_nothing_listens_beyond_loopback_without_tls_and_an_address(number, is_encrypted, why):
    with pytest.raises(AddressError, match=why):
        check_listening(Address("alpha", 0), is_encrypted=is_encrypted, resolve=resolving(number))


@pytest.mark.parametrize(
    ("number", "is_encrypted"), [("127.0.0.1", False), ("::1", False), ("10.0.0.5", True)]
)
def test_loopback_needs_no_tls_and_a_network_only_that(number, is_encrypted):
    check_listening(Address("alpha", 0), is_encrypted=is_encrypted, resolve=resolving(number))


def test_a_host_that_resolves_to_loopback_is_said():
    with pytest.raises(AddressError, match=r"alpha:7400: it resolves to 127\.0\.1\.1"):
        check_reachable(Address("alpha", 7400), resolving("127.0.1.1"))


def test_a_host_that_is_not_there_is_said():
    with pytest.raises(AddressError, match="no such host"):
        resolved("no-such-host.invalid")

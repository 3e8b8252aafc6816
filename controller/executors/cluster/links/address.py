"""Addresses of a cluster: what may be listened on, and what other hosts can reach."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

from controller.errors import AddressError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], tuple[IpAddress, ...]]


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or number, and a port; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parsed_address(text: str) -> Address:
    """`host:port` or `[2001:db8::1]:port`. Raises AddressError."""
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if is_bracketed else host
    number = int(port) if port.isascii() and port.isdigit() else -1
    if not (colon and host and 0 <= number <= 65535) or (":" in host and not is_bracketed):
        raise AddressError(text, "not host:port", "write it as 10.0.0.5:7400 or [fe80::5]:7400")
    return Address(host, number)


def resolved(host: str) -> tuple[IpAddress, ...]:
    """Numbers of a host as this machine knows them. Raises AddressError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        remedy = "correct the name, or enter it in /etc/hosts or DNS"
        raise AddressError(host, f"no such host ({error})", remedy) from error
    return tuple(dict.fromkeys(ipaddress.ip_address(each[4][0]) for each in found))


def is_loopback(host: str, resolve: Resolve = resolved) -> bool:
    """Whether every number of a host is this machine itself. Raises AddressError."""
    return all(number.is_loopback for number in resolve(host))


def check_listening(address: Address, *, is_encrypted: bool, resolve: Resolve = resolved) -> None:
    """Raise AddressError where none may listen: beyond loopback without TLS, or everywhere."""
    numbers = resolve(address.host)
    if any(number.is_unspecified for number in numbers):
        why = "that is every network this machine is on"
        raise AddressError(str(address), why, "name the address of the one that nodes are on")
    if not is_encrypted and not all(number.is_loopback for number in numbers):
        why = "it can be reached from other hosts, and the link is not encrypted"
        raise AddressError(str(address), why, "give credentials, or listen on 127.0.0.1")


def check_reachable(address: Address, resolve: Resolve = resolved) -> None:
    """Raise AddressError for a host that other hosts would look for on themselves."""
    for number in resolve(address.host):
        if number.is_loopback:
            why = f"it resolves to {number}, which every host takes for itself"
            remedy = "give its number on the network, or correct /etc/hosts"
            raise AddressError(str(address), why, remedy)

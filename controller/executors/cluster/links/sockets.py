"""Sockets of links: what is asked of the kernel, so that nothing waits and nothing is held back."""

from __future__ import annotations

import errno
import os
import socket
import ssl

from controller.errors import LinkError, PortInUseError
from controller.executors.cluster.links.address import Address, resolved

SEND_BUFFER_BYTES = 1 << 18
"""Bytes that the kernel may keep for a peer that does not read; Linux doubles it for itself."""
UNACKNOWLEDGED_MS = 2000
"""Milliseconds after which a connection breaks whose bytes nobody acknowledges: a cut cable."""
BACKLOG = 64
"""Connections that wait to be accepted, at most."""
_REMEDIES = {
    errno.ECONNREFUSED: "start what should listen there, or correct the address",
    errno.EHOSTUNREACH: "see that the host is up and on this network",
    errno.ENETUNREACH: "see that this machine is on that network",
    errno.ETIMEDOUT: "see that the host is up, and that no firewall is between",
}


def prepared(connection: socket.socket) -> socket.socket:
    """A TCP socket that never waits and sends at once."""
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    return connection


def connecting(address: Address) -> socket.socket:
    """A socket on its way to an address. Raises AddressError, LinkError."""
    number = resolved(address.host)[0]
    connection = prepared(socket.socket(_family(number.version)))
    code = connection.connect_ex((str(number), address.port))
    if code not in (0, errno.EINPROGRESS):
        connection.close()
        raise broken(str(address), OSError(code, os.strerror(code)))
    return connection


def is_connected(connection: socket.socket) -> bool:
    """Whether a socket has come to its peer. Raises OSError where it cannot."""
    code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    try:
        connection.getpeername()
    except OSError:
        return False
    return True


def listening(address: Address) -> socket.socket:
    """A socket that takes connections. Raises AddressError, PortInUseError."""
    number = resolved(address.host)[0]
    listener = socket.socket(_family(number.version))
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(number), address.port))
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or str(error)
        remedy = "choose another port, or an address of this machine"
        raise PortInUseError("cluster", address.host, address.port, why, remedy) from error
    listener.listen(BACKLOG)
    return listener


def broken(peer: str, error: OSError) -> LinkError:
    """What the kernel or TLS says of a connection, as an error of a link."""
    if isinstance(error, ssl.SSLError):
        why = f"no encrypted connection ({error.reason or error})"
        return LinkError(peer, why, "give both ends credentials of the same start")
    remedy = _REMEDIES.get(error.errno or 0, "see what ended the peer, or the network between")
    return LinkError(peer, error.strerror or str(error), remedy)


def _family(version: int) -> socket.AddressFamily:
    return socket.AF_INET6 if version == 6 else socket.AF_INET

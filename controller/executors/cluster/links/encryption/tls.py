"""TLS 1.3 over a connection: both ends show a certificate of the same authority."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

from controller.executors.cluster.links.encryption.credentials import Credentials, host_name

Encrypt = Callable[[ssl.MemoryBIO, ssl.MemoryBIO], ssl.SSLObject]
"""Makes one end of TLS between what comes in and what goes out."""


def as_server(credentials: Credentials) -> Encrypt:
    """Encryption at the end that listens."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, credentials)
    context.num_tickets = 0  # no session is taken up again, and a ticket would wake the reader
    return partial(context.wrap_bio, server_side=True)


def as_client(credentials: Credentials, name: str) -> Encrypt:
    """Encryption at the end that connects, to the end of that name and no other."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, credentials)
    context.check_hostname = True
    return partial(context.wrap_bio, server_hostname=host_name(name))


def _context(protocol: ssl._SSLMethod, credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=credentials.authority_pem)
    _load(context, credentials)
    return context


def _load(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Load the key by way of memory that has no name: `ssl` reads files alone."""
    descriptor = os.memfd_create("credentials")
    try:
        os.write(descriptor, (credentials.key_pem + credentials.certificate_pem).encode())
        context.load_cert_chain(Path(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)

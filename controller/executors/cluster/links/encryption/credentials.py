"""Credentials of one end of an encrypted link, as they are handed to a node."""

from __future__ import annotations

from dataclasses import dataclass, field

DOMAIN = "kapellmeister.invalid"
"""Suffix of names in certificates, which no resolver knows (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate with its key, and the authority that both ends trust; PEM.

    `name` is what the certificate is for, and what a peer that connects asks for. The key is
    never printed.
    """

    name: str
    authority_pem: str
    certificate_pem: str
    key_pem: str = field(repr=False)


def host_name(name: str) -> str:
    """Name of an end as it stands in its certificate."""
    return f"{name}.{DOMAIN}"

"""Both ways to get a link: to take what connects, and to connect."""

from __future__ import annotations

from controller.executors.cluster.links.address import Address, check_listening
from controller.executors.cluster.links.encryption.credentials import Credentials
from controller.executors.cluster.links.encryption.tls import as_client, as_server
from controller.executors.cluster.links.hello import Hello
from controller.executors.cluster.links.link import Link
from controller.executors.cluster.links.sockets import connecting, listening, prepared


class Listener:
    """Takes connections at an address, encrypted where there are credentials.

    Raises AddressError for an address beyond loopback without credentials or for every network,
    and PortInUseError.
    """

    def __init__(self, address: Address, ours: Hello, credentials: Credentials | None) -> None:
        check_listening(address, is_encrypted=credentials is not None)
        self._ours = ours
        self._encrypt = None if credentials is None else as_server(credentials)
        self._socket = listening(address)
        self.address = Address(address.host, self._socket.getsockname()[1])

    def fileno(self) -> int:
        """Descriptor of the socket; -1 once it is closed."""
        return self._socket.fileno()

    def accept(self) -> Link | None:
        """A link that has just begun; None where nobody connects, or none can be taken."""
        try:
            connection, peer = self._socket.accept()
        except OSError:
            return None
        return Link(prepared(connection), str(Address(*peer[:2])), self._ours, self._encrypt)

    def close(self) -> None:
        """Take no more."""
        self._socket.close()


def connect(address: Address, ours: Hello, credentials: Credentials | None, name: str) -> Link:
    """A link on its way to the end of that name at an address. Raises AddressError, LinkError."""
    encrypt = None if credentials is None else as_client(credentials, name)
    return Link(connecting(address), str(address), ours, encrypt)

"""One controller turns a server at a time."""

from __future__ import annotations

from contextlib import closing

import pytest

from controller.errors import PlantError
from controller.plants.server_lock import ServerLock

PLACES = ("JACK_DEFAULT_SERVER=a test of the lock",)


def test_a_second_controller_of_a_server_is_refused_until_the_first_has_ended() -> None:
    with closing(ServerLock("jack", PLACES)), pytest.raises(PlantError) as refused:
        ServerLock("jack", PLACES)
    assert str(refused.value) == (
        "plant jack: another controller turns this server; stop that, or run with --shadow"
    )
    ServerLock("jack", PLACES).close()


def test_another_server_may_be_turned_meanwhile() -> None:
    with closing(ServerLock("jack", PLACES)):
        ServerLock("jack", ("JACK_DEFAULT_SERVER=another",)).close()
        ServerLock("pipewire", PLACES).close()

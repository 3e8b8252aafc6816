"""The pipeline's side of the conversation."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.pipeline.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.close()


def test_waiting_ends_as_soon_as_another_descriptor_is_readable(server: Server) -> None:
    there, here = os.pipe()
    os.write(here, b"!")
    assert not server.serve(60.0, lambda _: None, (there,))
    os.close(there)
    os.close(here)


def test_nobody_speaks_within_the_time(server: Server) -> None:
    assert not server.serve(0.0, lambda _: None)

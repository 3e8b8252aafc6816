"""The plant of a server at a monitor that says what a test wants."""

from __future__ import annotations

import pytest
from attached_plant import Attached


@pytest.fixture
def attached(monkeypatch: pytest.MonkeyPatch) -> Attached:
    return Attached(monkeypatch)

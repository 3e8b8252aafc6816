"""A plant of programs that tell nothing of their sound."""

from __future__ import annotations

import pytest

from controller.config.config import Config
from controller.errors import PlantError
from controller.plants.process.plant import ProcessPlant


def test_a_plant_of_processes_says_what_is_missing():
    surroundings = type("S", (), {"config": Config(), "clock": None, "lease": None})
    surroundings.permissions = surroundings.named_at = None
    with pytest.raises(PlantError, match="no process is named; name some by --process"):
        ProcessPlant(surroundings)

"""A plant is chosen by its name, and what it does wrong when it is made is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from attached_plant import PERMISSIONS, SettingsLease
from fakes import FakeClock

from controller.config.config import Config
from controller.errors import PlantError, PlugInError
from controller.plants.plant import Surroundings
from kapellmeister.running.controlled.chosen_plant import chosen_plant
from kapellmeister.running.controlled.controlled import Controlled
from kapellmeister.running.options import RunOptions

PLANT = """
from controller.errors import PlantError
from policies.knobs import Settings

class Half:
    def __init__(self, given): pass

class Broken:
    def __init__(self, given): raise ValueError("no cable")

class Gone:
    def __init__(self, given): raise PlantError("mine", "nothing plays", "play something")

class Unpowered:
    def __init__(self, given): raise PermissionError(1, "Operation not permitted")

class Mine:
    name, deadline_ms, counted = "mine", 5.0, "blocks"

    def __init__(self, given, gain=1.0): self.gain = gain
    def knobs(self): return {}
    def observe(self): pass
    def in_force(self): return Settings()
    def apply(self, knob, value): pass
    def restore(self, knob): pass
    def finished(self): return False
    def close(self): pass
    def helpers(self): return ()
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "plants.py").write_text(PLANT)
    return f"{tmp_path}/plants.py"


def attached(plant: str, directory: Path) -> Controlled:
    config = Config()
    chosen = chosen_plant(RunOptions(plant=plant), config, print)
    given = Surroundings(config, FakeClock(), SettingsLease(), PERMISSIONS)  # type: ignore[arg-type]
    with chosen.made_ready(directory, lambda: False, print) as attach:
        return attach(given)


def test_a_plant_gets_the_constants_that_its_name_ends_with(file: str, tmp_path: Path) -> None:
    controlled = attached(f"{file}:Mine:gain=0.5", tmp_path)
    assert controlled.plant.gain == 0.5  # type: ignore[attr-defined] # of this plant alone


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Broken", r"plant .*:Broken: cannot be made: ValueError\('no cable'\)"),
        ("Half", "plant .*:Half: has no deadline_ms and no counted and no helpers and no name and"),
        ("Mine:pain=1", "plant .*:Mine:pain=1: has no constant 'pain'"),
    ],
)
def test_a_plant_that_cannot_be_is_refused_in_one_line(
    file: str, tmp_path: Path, name: str, why: str
) -> None:
    with pytest.raises(PlugInError, match=why) as refusal:
        attached(f"{file}:{name}", tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("name", "error"), [("Gone", PlantError), ("Unpowered", PermissionError)])
def test_an_error_of_a_plant_that_says_enough_comes_as_it_is(
    file: str, tmp_path: Path, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        attached(f"{file}:{name}", tmp_path)


def test_the_pipeline_of_our_own_refuses_constants() -> None:
    with pytest.raises(PlugInError, match="plant builtin:interval_s=2: takes no constants"):
        chosen_plant(RunOptions(plant="builtin:interval_s=2"), Config(), print)

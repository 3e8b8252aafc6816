"""Statements about readings hold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from exposed_tick import OBJECTIVE, TICK
from gpu_readings import GPU

from controller.instruments.metric_families import Totals, families
from controller.sensors.cpu import MachineSensor
from controller.sensors.gpu.nvml import NAMES
from policies.observation import Observation, Value

TEXT = (Path(__file__).parents[2] / "docs" / "readings.md").read_text(encoding="utf-8")
TABLE = dict(re.findall(r"^\| `([a-z_.]+)` \|.*\| `([a-z_]+)` \|$", TEXT, re.MULTILINE))


@pytest.mark.parametrize(("reading", "metric"), TABLE.items())
def test_a_reading_has_the_metric_that_is_written_beside_it(reading: str, metric: str) -> None:
    seen = Observation(1000.0, 1.0, readings={reading: Value(1.0)})
    told = families(replace(TICK, observation=seen), Totals(), OBJECTIVE)
    assert f"kapellmeister_plant_{metric}" in {family.name for family in told}


def test_every_reading_of_the_device_and_of_the_machine_is_written_down() -> None:
    assert {*NAMES, *GPU, *MachineSensor().read()} <= TABLE.keys()

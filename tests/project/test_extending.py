"""The examples of docs/extending.md are written, tested and named to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from controller import plugins
from controller.executors import checks as executors
from controller.forecasting import checks as forecasters
from controller.forecasting.supervised import NEEDS
from controller.load.trace import LoadTrace
from controller.plants import checks as plants
from controller.workloads import checks as workloads
from policies import checks as policies
from simulators.simulate import simulate
from simulators.simulation import Simulation

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = {
    title: re.findall(r"^```python\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
FILES = {
    "A policy": "larger_batches",
    "A forecaster": "smoothed",
    "A workload": "slap_back",
    "An executor": "in_process",
    "A plant": "renderer",
}
SUITES = {
    "A policy": policies,
    "A forecaster": forecasters,
    "A workload": workloads,
    "An executor": executors,
    "A plant": plants,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All that is shown, each in its file, and its test beside it."""
    for title, module in FILES.items():
        code, test, *more = SECTIONS[title]
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        (tmp_path / f"test_{module}.py").write_text(test, encoding="utf-8")
        for each in more:
            (tmp_path / "halfway.py").write_text(each, encoding="utf-8")
    return tmp_path


def test_the_tests_that_are_shown_pass_as_a_stranger_runs_them(folder: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    count = sum(len(suite.CHECKS) for suite in SUITES.values())
    assert f"\n{count} passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("title", FILES)
def test_the_table_of_checks_is_complete(title: str) -> None:
    body = TEXT.split(f"## {title}\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE) == list(SUITES[title].CHECKS)


def test_every_name_that_is_shown_finds_what_it_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    kinds = {"policies": "LargerBatches", "workloads": "SlapBack", "plants": "Renderer"}
    kinds |= {"forecasters": "Smoothed", "executors": "InProcess"}
    shown = set(re.findall(r"\w+\.py:\w+(?::\w+=\w+)*", TEXT))
    for kind, name in kinds.items():
        mine = {each for each in shown if f":{name}" in each}
        assert mine
        assert all(plugins.find(kind, each).__name__ == name for each in mine)


def test_the_policy_that_is_shown_can_be_simulated(folder: Path) -> None:
    policy = f"{folder}/larger_batches.py:LargerBatches:patience=2"
    hour = LoadTrace("rise", tuple(60.0 * k for k in range(60)), tuple(30.0 * k for k in range(60)))
    assert simulate(Simulation(policy, hour)).report.alarms == {}


def test_the_ensemble_with_a_member_that_is_shown_keeps_to_the_contract(folder: Path) -> None:
    made = plugins.make("forecasters", f"{folder}/halfway.py:with_halfway", NEEDS)
    assert made.name == "with_halfway"
    forecasters.check("total", plugins.find("forecasters", f"{folder}/halfway.py:with_halfway"))

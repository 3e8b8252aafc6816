"""The public face: one name for each thing, whole, and loaded only when asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

import kapellmeister
from kapellmeister import api, cli

NO_FUNCTIONS = {"bench", "config"}
"""Commands that print what a caller has already, or measure this machine for its developers."""


def test_every_public_name_has_one_home() -> None:
    homes = [name for names in api.HOMES.values() for name in names.split()]
    assert sorted(homes) == sorted(api.__all__)
    assert len(set(homes)) == len(homes)
    assert kapellmeister.__all__ == api.__all__


@pytest.mark.parametrize("name", api.__all__)
def test_a_public_name_is_the_thing_that_its_home_defines(name: str) -> None:
    (home,) = (module for module, names in api.HOMES.items() if name in names.split())
    if home.startswith("simulators.environments"):
        pytest.importorskip("stable_baselines3", reason="agents need the extra `rl`")
    assert getattr(kapellmeister, name) is getattr(sys.modules[home], name)


def test_every_command_is_a_function_of_its_name() -> None:
    commands = set(typer.main.get_group(cli.app).commands) - NO_FUNCTIONS
    assert {name for name in commands if callable(getattr(kapellmeister, name))} == commands


def test_what_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Guard'"):
        _ = kapellmeister.Guard  # type: ignore[attr-defined]


def test_the_words_of_a_policy_load_neither_models_nor_simulators() -> None:
    code = "import sys; from kapellmeister import Context, Proposal; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"scipy", "statsmodels", "sklearn", "simulators", "typer", "rich"}
    assert heavy.isdisjoint(loaded)

"""Statements about the project hold."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from controller import plugins
from kapellmeister.cli import app, with_all_named
from policies.checks import check_all
from policies.diagnosis import Bottleneck, Diagnosis
from policies.knobs import Bounds, Knob, Settings
from policies.objective import Objective
from policies.observation import BlockCounts, Observation, Value
from policies.policy import Context, Policy
from simulators.loads.generators import generate
from simulators.simulate import simulate
from simulators.simulation import Simulation

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
DOCUMENTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "docs/extending.md")
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("controller", "policies", "simulators", "kapellmeister")
RUN = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/kapellmeister run"
TEST = "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest"


def commands(group: TyperGroup, path: str = "kapellmeister") -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(typer.main.get_command(app)))
SHOWN = sorted(set(re.findall(r"^kapellmeister .+$", "\n".join(DOCUMENTS.values()), re.MULTILINE)))
TABLE = re.findall(r"^\| `(kapellmeister [^`]+)` \| (.+) \|$", README, re.MULTILINE)


def test_the_table_of_commands_is_complete() -> None:
    assert {command for command, _ in TABLE} == set(COMMANDS)


@pytest.mark.parametrize(("command", "description"), TABLE)
def test_an_option_named_beside_a_command_exists(command: str, description: str) -> None:
    known = {option for each in COMMANDS[command].params for option in each.opts}
    assert set(re.findall(r"--[a-z-]+", description)) <= known


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_line_that_is_shown_is_understood(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    understood = COMMANDS[f"kapellmeister {name}"].make_context(name, with_all_named(arguments))
    assert not understood.args


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_has_help_with_an_example(command: TyperCommand) -> None:
    assert command.help
    assert (command.epilog or "").startswith("Example: kapellmeister ")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_link_to_a_file_leads_there(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[)#]", DOCUMENTS[name]):
        assert ((ROOT / name).parent / target).is_file(), target


def test_the_two_commands_are_run_to_the_letter() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f"\n{RUN}\n" in README
    assert f"\n{TEST}\n" in README
    assert f'step "{RUN} --duration 10"\n' in script
    assert f'step "{TEST}"\n' in script


def test_the_policy_that_is_shown_takes_twenty_lines_and_decides(tmp_path: Path) -> None:
    code, _ = PYTHON
    assert len([line for line in code.splitlines() if line]) <= 20
    file = tmp_path / "one_more_worker.py"
    file.write_text(code, encoding="utf-8")
    policy = plugins.find("policies", f"{file}:OneMoreWorker")()
    assert isinstance(policy, Policy)
    proposal, _ = policy.decide(queueing_at(nodes=1), None)
    assert [(each.knob, each.value) for each in proposal.actions] == [("nodes", 2)]
    proposal, _ = policy.decide(queueing_at(nodes=4), None)
    assert proposal.actions == ()
    check_all(plugins.find("policies", f"{file}:OneMoreWorker"))
    ramp = generate("ramp", 0.25)
    assert simulate(Simulation(f"{file}:OneMoreWorker", ramp)).report.knobs == ("nodes",)


def test_the_simulation_that_is_shown_runs(capsys: pytest.CaptureFixture[str]) -> None:
    _, code = PYTHON
    exec(code, {})
    miss_rate, cost = map(float, capsys.readouterr().out.split())
    assert 0.0 <= miss_rate < 0.001
    assert 1.0 < cost < 2.0


def queueing_at(nodes: int) -> Context:
    return Context(
        time_s=1000.0,
        objective=Objective(deadline_ms=5.3),
        observation=Observation(1000.0, 1.0, Value(48.0), blocks=BlockCounts(90, 10)),
        forecast=None,
        diagnosis=Diagnosis(
            Bottleneck.QUEUEING, "blocks wait for blocks", helpful_knobs=("batch_size", "nodes")
        ),
        knobs={"nodes": Knob("nodes", Bounds(1, 4), "cpu")},
        settings=Settings.of({"nodes": nodes}),
        states={},
        unavailable={},
    )


def test_every_package_is_built_typed_and_documented() -> None:
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(PACKAGES)
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").is_file()
        assert f"\n{package}/" in README


def test_one_version_is_stated_everywhere() -> None:
    version = PROJECT["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_plug_in_that_is_announced_loads() -> None:
    announced = PROJECT["project"]["entry-points"]
    for group, points in announced.items():
        for name in points:
            assert plugins.find(group.removeprefix("kapellmeister."), name)

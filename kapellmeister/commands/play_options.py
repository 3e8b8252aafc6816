"""Options that every simulation has, declared once for the commands that play some."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from kapellmeister.commands.options import names

if TYPE_CHECKING:
    from simulators.levels.level import LevelName


class SimulationLevel(StrEnum):
    """Levels of detail of the simulator."""

    INTERVAL = "interval"
    BATCH = "batch"
    BLOCK = "block"


Level = Annotated[SimulationLevel, typer.Option(help="How exactly blocks are simulated.")]
Interval = Annotated[
    float | None,
    typer.Option(
        help="Seconds between ticks; 15 at the interval level, else 1.", min=0.1, max=3600.0
    ),
]
Pipeline = Annotated[
    str | None, typer.Option(help="batch, full, or a description (TOML).", metavar="FILE")
]
NodeStart = Annotated[
    float,
    typer.Option(help="Seconds from a node's request to its first block.", min=0.0, max=86_400.0),
]
TargetMissRate = Annotated[
    float, typer.Option(help="Share of blocks that may be missed.", min=1e-9, max=0.5)
]
SimulatedForecaster = Annotated[
    str, typer.Option(help="By name or file.py:Class; ensemble, which runs live, takes longer.")
]
Unmodelled = Annotated[
    bool,
    typer.Option(
        "--unmodelled",
        help="Tell policies no law of the pipeline: live without a calibration it is so.",
    ),
]
Knobs = Annotated[
    str | None, typer.Option(help="Only these knobs may be turned: nodes,batch_size.")
]
Scenario = Annotated[Path | None, typer.Option(help="Faults to come (TOML).", metavar="FILE")]


class Play(TypedDict):
    """Choices of a simulation, by the names that they have in `PlayOptions`."""

    level: LevelName
    interval_s: float | None
    knobs: tuple[str, ...] | None
    pipeline: str | None
    scenario: Path | None
    node_start_s: float
    target_miss_rate: float
    forecaster: str
    modelled: bool


def _chosen(
    level: Level = SimulationLevel.INTERVAL,
    interval: Interval = None,
    knobs: Knobs = None,
    pipeline: Pipeline = None,
    scenario: Scenario = None,
    node_start: NodeStart = 120.0,
    target_miss_rate: TargetMissRate = 0.001,
    forecaster: SimulatedForecaster = "last_value",
    unmodelled: Unmodelled = False,
) -> Play:
    return Play(
        level=level.value,
        interval_s=interval,
        knobs=names(knobs),
        pipeline=pipeline,
        scenario=scenario,
        node_start_s=node_start,
        target_miss_rate=target_miss_rate,
        forecaster=forecaster,
        modelled=not unmodelled,
    )


def plays(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a simulation, which reach it as its parameter `play`."""
    own, shared = (inspect.signature(each, eval_str=True) for each in (command, _chosen))
    shown = [each for name, each in own.parameters.items() if name != "play"]
    shown += shared.parameters.values()

    @functools.wraps(command)
    def parsed(**given: Any) -> None:
        play = _chosen(**{name: given.pop(name) for name in shared.parameters})
        command(play=play, **given)

    vars(parsed)["__signature__"] = own.replace(parameters=shown)
    parsed.__annotations__ = {each.name: each.annotation for each in shown}
    return parsed

"""A comparison as it is asked for: policies, their settings, traces and seeds."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from controller import plugins
from controller.errors import PlugInError
from controller.load.trace import LoadTrace
from simulators.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Comparison:
    """Policies to compare, on traces. `base` holds all that the simulations have in common.

    `cache` is a folder in which every finished job is kept, so that an interrupted comparison
    goes on where it was; `rows` one in which every step of the default settings is kept.
    """

    policies: tuple[str, ...]
    traces: tuple[LoadTrace, ...]
    base: Simulation
    seeds: tuple[int, ...] = (1,)
    sweep: bool = False
    cache: Path | None = None
    rows: Path | None = None

    def simulations(self) -> Iterator[Simulation]:
        """Every policy at every setting on every load."""
        for trace, seed, policy in itertools.product(self.traces, self.seeds, self.policies):
            for setting in self.settings(policy):
                yield replace(self.base, policy=policy, trace=trace, seed=seed, constants=setting)

    def settings(self, policy: str) -> tuple[Mapping[str, float], ...]:
        """The setting it ships with, and those that its class names for a sweep."""
        made = plugins.find("policies", policy)
        swept: Mapping[str, Sequence[float]] = getattr(made, "SWEEP", {}) if self.sweep else {}
        if not swept or plugins.constants_in("policies", policy):
            return ({},)
        arguments = inspect.signature(made).parameters
        if not isinstance(swept, Mapping) or not set(swept) <= set(arguments):
            why = f"SWEEP must name arguments of its constructor ({', '.join(arguments) or 'none'})"
            raise PlugInError("policy", policy, why, plugins.names("policies"))
        for name, values in swept.items():
            if not _are_numbers(values):
                why = f"SWEEP must give a list of numbers for {name}, not {values!r}"
                raise PlugInError("policy", policy, why, plugins.names("policies"))
        combined = itertools.product(*swept.values())
        settings = [dict(zip(swept, values, strict=True)) for values in combined]
        ships_with = {name: arguments[name].default for name in swept}
        return ({}, *(each for each in settings if each != ships_with))


def _are_numbers(values: object) -> bool:
    return (
        isinstance(values, Sequence)
        and bool(values)
        and all(
            isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
            for each in values
        )
    )

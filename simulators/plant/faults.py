"""Faults: scripted in a file or random by a seed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from controller.errors import ScenarioError
from controller.input_files import read_toml
from controller.linux.os_errors import explained

DEFAULT_DURATION_S = 600.0
"""Seconds that a fault lasts where nobody says."""
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
KEYS = {"kind", "at", "for", "amount", "node"}


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault; `amount` is what it is given where nobody says, out of `low` to `high`."""

    what: str
    amount: float = 1.0
    low: float = 0.0
    high: float = float("inf")


KINDS = {
    "node_death": FaultKind("a node dies at once; another is started in its place"),
    "gpu_out_of_memory": FaultKind("a share of the device memory is gone", 0.5, 0.0, 1.0),
    "slow_gpu": FaultKind("compute takes so many times as long", 1.5, 1.0, 100.0),
    "noisy_neighbour": FaultKind("all nodes are contended for"),
    "link_slow": FaultKind("the link takes so many times as long", 10.0, 1.0, 1e6),
    "link_loss": FaultKind("a share of the blocks is lost on the link", 0.01, 0.0, 1.0),
    "telemetry_missing": FaultKind("no report arrives"),
    "telemetry_stale": FaultKind(
        "the last report before it is all there is, and says how old it is"
    ),
    "telemetry_frozen": FaultKind("the last report before it arrives again and again, as if new"),
    "telemetry_nan": FaultKind("every figure of a report is NaN"),
    "clock_step": FaultKind(
        "the plant's clock is wrong by so many seconds", 60.0, -86_400.0, 86_400.0
    ),
    "controller_restart": FaultKind("the controller is killed and starts again from what it saved"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: from `at_s`, for `duration_s`; what `amount` means depends on the kind.

    `node` picks the node that dies, counted among those that serve.
    """

    kind: str
    at_s: float
    duration_s: float = DEFAULT_DURATION_S
    amount: float = 1.0
    node: int = 0

    @property
    def end_s(self) -> float:
        """Seconds at which it is over."""
        return self.at_s + self.duration_s


class Schedule:
    """All faults of a simulation; a value that is asked once a tick and mostly knows nothing."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.at_s))
        self._begins_s = [fault.at_s for fault in self.faults]
        self._longest_s = max((fault.duration_s for fault in self.faults), default=0.0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self.faults == other.faults

    def __hash__(self) -> int:
        return hash(self.faults)

    def __repr__(self) -> str:
        return f"Schedule({self.faults!r})"

    def active(self, from_s: float, to_s: float) -> tuple[Fault, ...]:
        """The faults that are there at some time within the interval."""
        if not self.faults:
            return ()
        first = bisect_right(self._begins_s, from_s - self._longest_s - 1e-9)
        last = bisect_right(self._begins_s, to_s - 1e-9)
        return tuple(
            fault
            for fault in self.faults[first:last]
            if fault.end_s > from_s or from_s <= fault.at_s < to_s
        )

    def beginning(self, kind: str, from_s: float, to_s: float) -> tuple[Fault, ...]:
        """The faults of a kind that begin within the interval."""
        if not self.faults:
            return ()
        return tuple(
            fault
            for fault in self.active(from_s, to_s)
            if fault.kind == kind and from_s <= fault.at_s < to_s
        )


def read_scenario(path: Path) -> Schedule:
    """The faults of a TOML file: `[[fault]]` tables with kind, at, for, amount and node.

    Raises ScenarioError, in one line, for a file that cannot be read, an unknown kind or key
    and a value that makes no sense.
    """
    try:
        tables = read_toml(path)
    except OSError as error:
        raise ScenarioError(path, "file", *explained(error, path, "name another file")) from error
    except ValueError as error:
        raise ScenarioError(path, "file", f"not TOML: {error}") from error
    unknown = set(tables) - {"fault"}
    listed = tables.get("fault", [])
    if unknown or not isinstance(listed, list):
        raise ScenarioError(path, "file", "holds something else than [[fault]] tables")
    return Schedule(tuple(_fault(path, n, each) for n, each in enumerate(listed, start=1)))


def random_schedule(seed: int, duration_s: float, per_day: float) -> Schedule:
    """Faults of all kinds at random times, so many a day on average (a Poisson process)."""
    generator = np.random.default_rng((seed, 0xFA))
    count = int(generator.poisson(per_day * duration_s / SECONDS["d"]))
    return Schedule(tuple(_random(generator, duration_s) for _ in range(count)))


def _random(generator: np.random.Generator, duration_s: float) -> Fault:
    name = str(generator.choice(list(KINDS)))
    kind = KINDS[name]
    return Fault(
        kind=name,
        at_s=float(generator.uniform(0.0, duration_s)),
        duration_s=float(generator.exponential(DEFAULT_DURATION_S)) + 1.0,
        amount=kind.amount,
        node=int(generator.integers(0, 1000)),
    )


def _fault(path: Path, number: int, table: Any) -> Fault:
    where = f"fault {number}"
    if not isinstance(table, dict):
        raise ScenarioError(path, where, "is not a table")
    unknown = sorted(set(table) - KEYS)
    if unknown:
        raise ScenarioError(path, where, f"no such key {unknown[0]!r}; known: {_listed(KEYS)}")
    name = table.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        raise ScenarioError(path, where, f"no such kind {name!r}; known: {_listed(KINDS)}")
    kind, amount, node = KINDS[name], table.get("amount"), table.get("node", 0)
    amount = kind.amount if amount is None else amount
    if not isinstance(amount, int | float) or amount is True or not kind.low <= amount <= kind.high:
        bounds = f"a number from {kind.low:g} to {kind.high:g}"
        raise ScenarioError(path, where, f"amount {amount!r} is not {bounds}")
    if not isinstance(node, int) or isinstance(node, bool) or node < 0:
        raise ScenarioError(path, where, f"node {node!r} is not a number from 0")
    at_s = _seconds(path, where, table.get("at"), "at")
    duration_s = _seconds(path, where, table.get("for", DEFAULT_DURATION_S), "for")
    return Fault(name, at_s, duration_s, float(amount), node)


def _seconds(path: Path, where: str, value: object, key: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
        return float(value)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value) if isinstance(value, str) else None
    if found is None:
        why = f"{key} {value!r} is not a time: give seconds, or 90s, 15m, 2h, 1d"
        raise ScenarioError(path, where, why)
    return float(found[1]) * SECONDS[found[2]]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

"""Pipelines described in a file: stages, service laws, tables of residuals."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from controller.errors import PipelineFileError
from policies.latency import (
    Band,
    Calibration,
    Compute,
    Knot,
    Lateness,
    Link,
    Post,
    Residuals,
    Transfer,
    lognormal,
)

PARTS = {
    "transfer": Transfer,
    "compute": Compute,
    "post": Post,
    "link": Link,
    "knots": Knot,
    "bands": Band,
}
LISTS = ("knots", "bands")
REGIMES = ("quiet", "contended")
BUILT_IN = {
    "batch": Calibration(source="built in: a batch server"),
    "full": Calibration(
        transfer=Transfer(), post=Post(), link=Link(), source="built in: all four stages"
    ),
}


def find_calibration(text: str) -> Calibration:
    """One that is built in, by name (`batch`, `full`), or from a TOML file."""
    return BUILT_IN[text] if text in BUILT_IN else read_calibration(Path(text))


def read_calibration(path: Path) -> Calibration:
    """A pipeline from its description.

    A residual table is a list of numbers, or `quiet_variation = 0.2` for a lognormal law of
    that coefficient of variation. Raises PipelineFileError, in one line, for a file that
    cannot be read, an unknown key and a value that makes no sense.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        known = f" (built in are {', '.join(BUILT_IN)})" if not path.exists() else ""
        why = getattr(error, "strerror", None) or f"not TOML: {error}"
        raise PipelineFileError(path, "file", why + known) from error
    _check_keys(path, "", table, Calibration)
    try:
        calibration = TypeAdapter(Calibration).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        raise PipelineFileError(path, ".".join(map(str, first["loc"])), first["msg"]) from error
    _check_sense(path, calibration)
    return calibration


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write a description that `read_calibration` reads back as the same."""
    plain = {key: each for key, each in asdict(calibration).items() if each is not None}
    lists = {key: plain.pop(key) for key in LISTS}
    tables = {key: each for key, each in plain.items() if isinstance(each, dict)}
    lines = [_line(key, each) for key, each in plain.items() if key not in tables]
    for key, table in tables.items():
        lines += _table(key, f"[{key}]", table)
    for key, each_of in lists.items():
        for table in each_of:
            lines += _table(key, f"[[{key}]]", table)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(name: str, head: str, values: Mapping[str, Any]) -> list[str]:
    own = [_line(key, each) for key, each in values.items() if not isinstance(each, dict)]
    lines = ["", head, *own]
    for key, each in values.items():
        if isinstance(each, dict):
            lines += _table(f"{name}.{key}", f"[{name}.{key}]", each)
    return lines


def _line(key: str, value: object) -> str:
    return f"{key} = {json.dumps(value)}"


def _check_keys(path: Path, place: str, table: dict[str, Any], kind: Any) -> None:
    """Find unknown keys, and put tables in the place of variations."""
    lateness = Residuals if kind is Compute else Lateness
    kinds = {"residuals": Residuals, "lateness_ms": lateness, **PARTS}
    if kind is Lateness:
        kinds = {each.name: Residuals for each in fields(Lateness)}
    known = [each.name for each in fields(kind)]
    for key in list(table):
        regime = key.removesuffix("_variation")
        if kind is Residuals and regime in REGIMES and key != regime:
            table[regime] = _lognormal(path, f"{place}{key}", table.pop(key))
        elif key not in known:
            why = f"no such key; known are {', '.join(known)}"
            raise PipelineFileError(path, f"{place}{key}", why)
        elif is_dataclass(kinds.get(key)):
            inner = table[key] if isinstance(table[key], list) else [table[key]]
            for each in inner:
                if isinstance(each, dict):
                    _check_keys(path, f"{place}{key}.", each, kinds[key])


def _lognormal(path: Path, place: str, variation: object) -> tuple[float, ...]:
    if not isinstance(variation, int | float) or not 0.0 <= variation <= 10.0:
        raise PipelineFileError(path, place, f"{variation!r} is not a number from 0 to 10")
    return lognormal(float(variation))


def _check_sense(path: Path, calibration: Calibration) -> None:
    compute = calibration.compute
    figures = {
        "period_ms": calibration.period_ms,
        "compute.per_stream_ms": compute.per_stream_ms,
        "compute.residuals.quiet": min(compute.residuals.quiet, default=0.0),
        "compute.residuals.contended": min(compute.residuals.contended, default=0.0),
    }
    if calibration.transfer is not None:
        figures["transfer.bytes_per_stream"] = calibration.transfer.bytes_per_stream
        figures["transfer.bytes_per_ms"] = calibration.transfer.bytes_per_ms
    if calibration.post is not None:
        figures["post.threads"] = calibration.post.threads
    for place, value in figures.items():
        if not 0.0 < value < 1e15:
            raise PipelineFileError(path, place, f"{value:g} is not a positive number")
    for place, value in {
        "arrival_jitter_ms": calibration.arrival_jitter_ms,
        "compute.fixed_ms": compute.fixed_ms,
        "contended_share": calibration.contended_share,
    }.items():
        if not 0.0 <= value < 1e15:
            raise PipelineFileError(path, place, f"{value:g} is negative or not finite")
    for regime in REGIMES:
        if not getattr(compute.lateness_ms, regime):
            raise PipelineFileError(path, f"compute.lateness_ms.{regime}", "is empty")

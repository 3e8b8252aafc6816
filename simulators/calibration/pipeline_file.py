"""Pipelines described in a file: stages, service laws, tables of residuals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from controller.errors import PipelineFileError
from controller.input_files import read_toml
from controller.linux.os_errors import explained
from policies.latency import (
    Band,
    Calibration,
    Compute,
    Knot,
    Lateness,
    Link,
    NodeTable,
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
    "node_tables": NodeTable,
}
LISTS = ("knots", "bands", "node_tables")
REGIMES = ("quiet", "contended")
BUILT_IN = {
    "batch": Calibration(source="built in: a batch server"),
    "full": Calibration(
        transfer=Transfer(), post=Post(), link=Link(), source="built in: all four stages"
    ),
}


def find_calibration(text: str) -> Calibration:
    """A calibration that is built in, by name (`batch`, `full`), or from a TOML file."""
    return BUILT_IN[text] if text in BUILT_IN else read_calibration(Path(text))


def read_calibration(path: Path) -> Calibration:
    """A pipeline from its description.

    A residual table is a list of numbers, or `quiet_variation = 0.2` for a lognormal law of
    that coefficient of variation. Raises PipelineFileError, in one line, for a file that
    cannot be read, an unknown key and a value that makes no sense.
    """
    try:
        table = read_toml(path)
    except OSError as error:
        other = f"name another (built in are {', '.join(BUILT_IN)})"
        raise PipelineFileError(path, "file", *explained(error, path, other)) from error
    except ValueError as error:
        raise PipelineFileError(path, "file", f"not TOML: {error}") from error
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
    values = {key: each for key, each in values.items() if each is not None}
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
    number = isinstance(variation, int | float) and not isinstance(variation, bool)
    if not isinstance(variation, int | float) or not number or not 0.0 <= variation <= 10.0:
        raise PipelineFileError(path, place, f"{variation!r} is not a number from 0 to 10")
    return lognormal(float(variation))


POSITIVE = {
    "period_ms", "per_stream_ms", "bytes_per_stream", "state_bytes", "bytes_per_ms", "memory_bytes",
    "block_bytes", "threads", "contended_mean_s", "quiet", "contended",
}  # fmt: skip
"""Figures that 0 makes no sense of; a lateness and a cost that a stage lacks may be 0."""
MOST_PERIODS = 100.0
"""Periods that a single time may last: a pipeline that is slower plays nothing."""


def _check_sense(path: Path, calibration: Calibration) -> None:
    if not 0.01 <= calibration.period_ms <= 10_000.0:
        why = f"{calibration.period_ms} is not between 0.01 and 10,000 ms"
        raise PipelineFileError(path, "period_ms", why)
    _check_figures(path, "", calibration, MOST_PERIODS * calibration.period_ms)
    for place, share in {
        "contended_share": calibration.contended_share,
        "compute.correlation": calibration.compute.correlation,
    }.items():
        if share > 1.0:
            raise PipelineFileError(path, place, f"{share:g} is more than 1")
    streams = [knot.streams for knot in calibration.knots]
    if streams != sorted(set(streams)):
        raise PipelineFileError(path, "knots", "the streams of the knots do not ascend")
    if len({_lengths(knot.compute) for knot in calibration.knots}) > 1:
        raise PipelineFileError(path, "knots", "the tables of the knots differ in length")
    low, high = calibration.valid_streams
    if low > high:
        raise PipelineFileError(path, "valid_streams", f"{low} is more than {high}")
    for table in calibration.node_tables:
        _check_node_table(path, table)
    for band in calibration.bands:
        if band.low_ms > band.high_ms:
            raise PipelineFileError(path, "bands", f"{band.low_ms} ms is above {band.high_ms} ms")


def _check_node_table(path: Path, table: NodeTable) -> None:
    columns = (table.streams, table.miss_rates, table.utilisation)
    if not table.streams or len({len(column) for column in columns}) > 1:
        raise PipelineFileError(
            path, "node_tables", "a table is empty, or its columns differ in length"
        )
    if list(table.streams) != sorted(set(table.streams)):
        raise PipelineFileError(path, "node_tables", "the streams of a table do not ascend")
    if max(*table.miss_rates, *table.utilisation) > 1.0:
        raise PipelineFileError(path, "node_tables", "a miss rate or utilisation is more than 1")


def _check_figures(path: Path, place: str, part: Any, most_ms: float) -> None:
    """Every number of a part and of those within it: finite, not negative, not absurd."""
    lateness = place.split(".")[-2:-1] == ["lateness_ms"] or "lateness_ms." in place
    for each in fields(part):
        value, where = getattr(part, each.name), f"{place}{each.name}"
        if is_dataclass(value):
            _check_figures(path, f"{where}.", value, most_ms)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for number, inner in enumerate(value, start=1):
                _check_figures(path, f"{where}.{number}.", inner, most_ms)
        elif isinstance(value, tuple) and not value and each.name in REGIMES:
            raise PipelineFileError(path, where, "is empty")
        elif isinstance(value, int | float | tuple):
            may_be_nothing = lateness or each.name not in POSITIVE or place.startswith("link")
            is_time = each.name.endswith("_ms") and not each.name.endswith("_per_ms")
            most = most_ms if is_time or each.name in REGIMES else 1e15
            for figure in value if isinstance(value, tuple) else (value,):
                _check_figure(path, where, figure, most, may_be_nothing=may_be_nothing)


def _check_figure(
    path: Path, where: str, figure: float, most: float, *, may_be_nothing: bool
) -> None:
    if isinstance(figure, bool) or not 0.0 <= figure <= most:
        raise PipelineFileError(path, where, f"{figure} is not a number from 0 to {most:g}")
    if figure == 0.0 and not may_be_nothing:
        raise PipelineFileError(path, where, "0 makes no sense here")


def _lengths(compute: Compute) -> tuple[int, ...]:
    residuals, lateness = compute.residuals, compute.lateness_ms
    tables = (residuals.quiet, residuals.contended, lateness.quiet, lateness.contended)
    return tuple(len(table) for table in tables)

"""The rows of a comparison as Parquet files, and a manifest of what they come from.

`steps/trace=NAME/policy=NAME/seed=1/rows.parquet` holds one row a control interval of each
policy as it ships, `oracle/trace=NAME/seed=1/rows.parquet` the plan of the delayed oracle: a
layout that pandas, polars, DuckDB and Arrow read as one table.
"""

from __future__ import annotations

import hashlib
import importlib
import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from controller.errors import MissingExtraError
from controller.load.trace import LoadTrace
from simulators.timeline import Rows


def rows_path(folder: Path, trace: str, seed: int, policy: str | None) -> Path:
    """The file of a policy's rows, or of the oracle's where `policy` is None."""
    place = folder / ("oracle" if policy is None else "steps") / f"trace={quote(trace, safe='')}"
    if policy is not None:
        place /= f"policy={quote(policy, safe='')}"
    return place / f"seed={seed}" / "rows.parquet"


def encoded(rows: Rows, key: str) -> bytes:
    """The Parquet file of equally long columns, and of the `key` that says what they depend on."""
    table = _arrow("pyarrow").table(dict(rows)).replace_schema_metadata({"key": key})
    file = io.BytesIO()
    _arrow("pyarrow.parquet").write_table(table, file, compression="zstd")
    return file.getvalue()


def write_rows(path: Path, content: bytes) -> None:
    """Write a file of rows, which is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)


def read_rows(path: Path) -> Rows:
    """The columns as they were written."""
    table = _arrow("pyarrow.parquet").ParquetFile(path).read()
    return {name: np.asarray(table[name]) for name in table.column_names}


def is_written(path: Path, key: str) -> bool:
    """Whether the file holds the rows of that very key."""
    if not path.exists():
        return False
    metadata = _arrow("pyarrow.parquet").read_schema(path).metadata or {}
    return bool(metadata.get(b"key") == key.encode())


def keep_rows(folder: Path, keys: Mapping[Path, str]) -> None:
    """Remove the rows of another comparison, which the manifest would say nothing of."""
    for path in folder.glob("*/trace=*/**/rows.parquet"):
        if path not in keys or not is_written(path, keys[path]):
            path.unlink()


def check_arrow() -> None:
    """Raise MissingExtraError where Parquet cannot be written: before hours of work, not after."""
    _arrow("pyarrow.parquet")


@lru_cache(maxsize=64)
def trace_hash(trace: LoadTrace) -> str:
    """SHA-256 of the samples, whatever file they came from."""
    return hashlib.sha256(repr((trace.time_s, trace.streams)).encode()).hexdigest()


def _arrow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError("pyarrow", "report") from error

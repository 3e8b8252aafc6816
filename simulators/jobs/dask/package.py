"""The package distributed, which is there on request only."""

from __future__ import annotations

import importlib
import logging
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from controller.errors import MissingExtraError


@cache
def distributed() -> Any:
    """The package, which tells nobody what it does. Raises MissingExtraError."""
    try:
        package = importlib.import_module("distributed")
    except ImportError as error:
        raise MissingExtraError("distributed", "dask") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    return package


def dask_setting(values: dict[str, object]) -> AbstractContextManager[object]:
    """Settings of Dask for as long as this lasts."""
    settings: AbstractContextManager[object] = importlib.import_module("dask.config").set(values)
    return settings

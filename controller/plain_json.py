"""Frozen values as plain JSON and back, for the journal and for the saved state of a run.

A dataclass becomes an object that carries its class name under `type`, so that a member of a
union (a reading that is missing, say) comes back as what it was. Numbers that JSON cannot
write become their names, "nan" or "inf".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from policies.policy import State

JsonValue: TypeAlias = State
_ITSELF = frozenset({NoneType, bool, int, str})


def to_plain(value: object) -> JsonValue:
    """The value in nothing but None, bool, int, float, str, list and dict.

    Raises TypeError for a value of a kind that never belongs in a record.
    """
    if type(value) is float:  # the commonest first: a tick has hundreds of them
        return value if math.isfinite(value) else str(value)
    if type(value) in _ITSELF:
        return value  # type: ignore[return-value]
    if isinstance(value, Enum):
        return to_plain(value.value)
    if isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return _container(value)


def _container(value: object) -> JsonValue:
    if (names := _field_names(type(value))) is not None:  # type: ignore[arg-type]
        named = {name: to_plain(getattr(value, name)) for name in names}
        return {"type": type(value).__name__, **named}
    if isinstance(value, Mapping):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, AbstractSet):
        return [to_plain(each) for each in sorted(value)]
    if isinstance(value, Sequence):
        return [to_plain(each) for each in value]
    raise TypeError(f"{type(value).__name__} has no plain form: {value!r}")


def from_plain(data: JsonValue, kind: Any) -> Any:
    """The value of this kind: a dataclass, an enumeration, a container or a union of such.

    Raises ValueError where the data is not of the kind.
    """
    origin = get_origin(kind)
    if kind is Any:
        return data
    if origin in (Union, UnionType):
        return from_plain(data, _member(data, get_args(kind)))
    if isinstance(data, dict):
        return _from_object(data, kind)
    if isinstance(data, list):
        return _from_list(data, origin or kind, get_args(kind))
    return _from_scalar(data, kind)


def _member(data: JsonValue, kinds: tuple[Any, ...]) -> Any:
    """The one of a union's kinds that the data was written from."""
    if isinstance(data, dict) and "type" in data:
        fitting = [each for each in kinds if getattr(each, "__name__", None) == data["type"]]
    elif isinstance(data, dict | list):
        fitting = [each for each in kinds if get_origin(each) is not None]
    else:
        exact = [each for each in kinds if each is type(data)]
        fitting = exact or [each for each in kinds if _accepts(each, data)]
    if not fitting:
        raise ValueError(f"{data!r} is none of {', '.join(map(str, kinds))}")
    return fitting[0]


def _accepts(kind: Any, data: JsonValue) -> bool:
    try:
        _from_scalar(data, kind)
    except ValueError:
        return False
    return True


def _from_object(data: dict[str, JsonValue], kind: Any) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        if data.get("type") != kind.__name__:
            raise ValueError(f"expected a {kind.__name__}, found {data.get('type')!r}")
        hints = _hints(kind)
        known = {name: each for name, each in data.items() if name in hints}
        return kind(**{name: from_plain(each, hints[name]) for name, each in known.items()})
    if get_origin(kind) is not None and issubclass(get_origin(kind), Mapping):
        _, each_kind = get_args(kind)
        return {name: from_plain(each, each_kind) for name, each in data.items()}
    raise ValueError(f"expected {kind}, found an object")


def _from_list(data: list[JsonValue], kind: Any, arguments: tuple[Any, ...]) -> Any:
    if kind not in (tuple, list, frozenset):
        raise ValueError(f"expected {kind}, found a list")
    if kind is tuple and arguments[-1] is not Ellipsis:
        pairs = zip(data, arguments, strict=True)
        return tuple(from_plain(each, argument) for each, argument in pairs)
    return kind(from_plain(each, arguments[0]) for each in data)


def _from_scalar(data: JsonValue, kind: Any) -> Any:
    if kind is float and isinstance(data, int | float | str) and not isinstance(data, bool):
        return float(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if kind in (bool, int, str, NoneType) and type(data) is kind:
        return data
    raise ValueError(f"expected {kind}, found {data!r}")


@cache
def _field_names(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass; None of any other class."""
    return tuple(each.name for each in fields(kind)) if is_dataclass(kind) else None


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)

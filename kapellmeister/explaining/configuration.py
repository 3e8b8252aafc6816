"""The configuration printed, checked and explained, key by key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from controller import plugins
from controller.config.config import Config, load_config
from controller.config.section import Section
from controller.errors import ConfigurationError, PlugInError
from controller.forecasting.supervised import NEEDS

HEADER = """\
# All keys, each below its meaning. Give a file with --config; it need hold only what it
# changes. An environment variable such as KAPELLMEISTER_LOOP__POLICY overrides the file.
"""
PLUG_INS = {
    "loop.policy": "policies",
    "forecast.model": "forecasters",
    "pipeline.workload": "workloads",
    "pipeline.executor": "executors",
}
"""Keys whose value is the name of something that must exist, and its kind."""
AUTOMATIC = {"pipeline.executor": "auto"}
"""Keys whose value need not be a name: this one leaves the choice to the run."""
MADE_WITH = {"policies": ("name", "decide"), "forecasters": NEEDS}
"""Kinds that are made of their name alone, and what such a one must have."""

BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "enum": "one of {}",
}
"""Words for the limits of JSON schema."""


def print_config(config: Config) -> str:
    """The configuration in force as TOML, each key below its description."""
    tables = [_table(name, getattr(config, name)) for name in Config.model_fields]
    return "\n".join([HEADER, "\n\n".join(tables)])


def check_config(path: Path) -> str:
    """Say in one line a key what a file changes, once all of it is found possible.

    Raises ConfigurationError, also for a plug-in that could not be made in a run.
    """
    config = load_config(path)
    values = dict(_values(config))
    for key in PLUG_INS:
        if values[key] != AUTOMATIC.get(key):
            _check_plug_in(path, key, values[key])
    changed = [
        f"{key} = {to_toml(values[key])} (default {to_toml(default)})"
        for key, default in _values(Config.model_construct())
        if values[key] != default
    ]
    return "\n".join([f"{path}: valid; {len(changed)} changed from the defaults", *changed])


def _check_plug_in(path: Path, key: str, name: str) -> None:
    kind = PLUG_INS[key]
    try:
        if kind in MADE_WITH:
            plugins.make(kind, name, MADE_WITH[kind])
        else:
            plugins.find(kind, name)
    except PlugInError as error:
        remedy = f"`kapellmeister config --explain {key}` says what it may be"
        raise ConfigurationError(str(path), key, str(error), remedy) from error


def explain_config(key: str) -> str:
    """A key (`loop.interval_s`) or a table (`loop`): meaning, default, limits, override.

    Raises ConfigurationError where there is no such key.
    """
    section, _, name = key.partition(".")
    sections = {each: type(field.default) for each, field in Config.model_fields.items()}
    model = sections.get(section)
    if model is None or (name and name not in model.model_fields):
        remedy = "`kapellmeister config` lists all"
        raise ConfigurationError("--explain", key, "no such key", remedy)
    keys = [name] if name else list(model.model_fields)
    return "\n\n".join(_explanation(section, model, each) for each in keys)


def to_toml(value: object) -> str:
    """A value as TOML writes it; of a table within, what differs from its defaults."""
    if isinstance(value, Section):
        return to_toml(value.model_dump(exclude_defaults=True))
    if isinstance(value, dict):
        pairs = [f"{_key(key)} = {to_toml(each)}" for key, each in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(to_toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else to_toml(name)


def _table(name: str, section: Section) -> str:
    lines = [f"# {_first_line(type(section))}", f"[{name}]"]
    for key, field in type(section).model_fields.items():
        lines += [f"# {field.description}", f"{key} = {to_toml(getattr(section, key))}"]
    return "\n".join(lines)


def _first_line(model: type[Section]) -> str:
    return (model.__doc__ or "").partition("\n")[0]


def _values(config: Config) -> Iterator[tuple[str, Any]]:
    for section in Config.model_fields:
        for key, value in getattr(config, section):
            yield f"{section}.{key}", value


def _explanation(section: str, model: type[Section], key: str) -> str:
    field = model.model_fields[key]
    lines = [
        f"{section}.{key}: {field.description}",
        f"  default {to_toml(field.get_default())}",
        f"  override KAPELLMEISTER_{section.upper()}__{key.upper()}",
    ]
    allowed = ", ".join(_limits(model, key)) or ", ".join(_names(f"{section}.{key}"))
    if allowed:
        lines.insert(2, f"  allowed {allowed}")
    return "\n".join(lines)


def _limits(model: type[Section], key: str) -> Iterator[str]:
    schema = model.model_json_schema()
    found: dict[str, Any] = schema["properties"][key]
    if "$ref" in found:
        found = schema["$defs"][found["$ref"].rpartition("/")[2]]
    for keyword, words in BOUNDS.items():
        if keyword in found:
            limit = found[keyword]
            shown = ", ".join(map(str, limit)) if isinstance(limit, list) else limit
            yield words.format(shown)


def _names(key: str) -> tuple[str, ...]:
    """The names that a plug-in is chosen by, and that a file may hold one."""
    if key not in PLUG_INS:
        return ()
    automatic = (AUTOMATIC[key],) if key in AUTOMATIC else ()
    return (*automatic, *plugins.names(PLUG_INS[key]), "path/to/file.py:Class")

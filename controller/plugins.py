"""Policies, forecasters, workloads, executors and plants, found by entry point."""

from __future__ import annotations

import importlib.util
import inspect
import math
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from controller.errors import KapellmeisterError, PlugInError
from controller.time_box import TimeBox
from policies.constants import Range
from policies.learned import Learned

SINGULAR = {
    "policies": "policy",
    "forecasters": "forecaster",
    "workloads": "workload",
    "executors": "executor",
    "plants": "plant",
}

SELF_EXPLANATORY = dict.fromkeys(("executors", "plants"), (KapellmeisterError, OSError))
"""Errors of a constructor that tell a user enough by themselves; of other kinds, ours only."""
MODULE_PREFIX = "kapellmeister_plugin_"
"""Beginning of the names of modules that come from a file rather than a package."""
_CONSTANTS = re.compile(r":(\w+=[-+.\w]+(?::\w+=[-+.\w]+)*)$")
LONGEST_LOADING_S = 10.0
"""Seconds that the code of a plug-in's file may take to run once."""
TRAINED = "sb3:"
"""Prefix of the file of a trained agent."""


def names(kind: str) -> tuple[str, ...]:
    """All names of one kind (a key of SINGULAR), sorted."""
    return tuple(sorted({point.name for point in _entry_points(kind)}))


def file_of(name: str) -> Path | None:
    """The file that a name stands for, where it names one that is there; None for an installed."""
    if ".py:" in name:
        path = Path(name.partition(".py:")[0] + ".py")
    elif name.startswith(TRAINED):
        path = Path(name.removeprefix(TRAINED))
    else:
        return None
    return path if path.is_file() else None


def find(kind: str, name: str) -> Any:
    """The class of that name; `path/to/file.py:Class` needs no packaging.

    A policy may be a trained agent: `sb3:FILE.zip`. What follows a name for its constructor
    (`hpa:target=0.5`) is checked here, and given to it by `make`.

    Raises PlugInError where there is none, it does not load, or could not take its constants.
    """
    found = _named(kind, _CONSTANTS.sub("", name))
    _check_constants(kind, name, found, constants_in(kind, name))
    return found


def _named(kind: str, name: str) -> Any:
    if ".py:" in name:
        return _from_file(kind, name)
    if kind == "policies" and name.startswith(TRAINED):
        return partial(Learned, name.removeprefix(TRAINED))
    points = [point for point in _entry_points(kind) if point.name == name]
    targets = {point.value for point in points}
    if not points:
        raise PlugInError(SINGULAR[kind], name, "no such name", names(kind))
    if len(targets) > 1:
        clash = f"claimed by {' and '.join(sorted(targets))}; uninstall one"
        raise PlugInError(SINGULAR[kind], name, clash, names(kind))
    try:
        return points[0].load()
    except (Exception, SystemExit) as error:
        raise PlugInError(SINGULAR[kind], name, f"does not load: {error!r}", names(kind)) from error


def make(kind: str, name: str, needs: tuple[str, ...], *given: object, **constants: float) -> Any:
    """An object of the class of that name, which has the attributes that its kind needs.

    `given` and `constants` are passed to its constructor, and so are the constants in the name.
    Raises PlugInError where it cannot be made or lacks an attribute; an error that a user can mend
    comes as it is, and of an executor or a plant also one of the system.
    """
    found = find(kind, name)
    _check_constants(kind, name, found, constants)
    try:
        made = found(*given, **constants_in(kind, name) | constants)
    except SELF_EXPLANATORY.get(kind, KapellmeisterError):
        raise
    except (Exception, SystemExit) as error:
        why = f"cannot be made: {error!r}"
        raise PlugInError(SINGULAR[kind], name, why, names(kind)) from error
    missing = [attribute for attribute in needs if not hasattr(made, attribute)]
    if missing:
        why = f"has no {' and no '.join(missing)}"
        raise PlugInError(SINGULAR[kind], name, why, names(kind))
    return made


def members(contract: type) -> tuple[str, ...]:
    """Names of the methods and properties that a Protocol asks for, its bases' among them."""
    asked = [name for each in contract.__mro__ for name in vars(each)]
    return tuple(dict.fromkeys(name for name in asked if not name.startswith("_")))


def constants_in(kind: str, name: str) -> dict[str, float]:
    """The constants that a name ends with: `hpa:target=0.5:stabilisation_s=600`.

    Raises PlugInError for one that is no number.
    """
    given = _CONSTANTS.search(name)
    pairs = [each.partition("=") for each in given[1].split(":")] if given else []
    for constant, _, value in pairs:
        if not _is_finite(value):
            why = f"{constant}={value} is no number; give a finite one"
            raise PlugInError(SINGULAR[kind], name, why)
        if name.count(f":{constant}=") > 1:
            raise PlugInError(SINGULAR[kind], name, f"{constant} is given twice; give it once")
    return {constant: float(value) for constant, _, value in pairs}


def _is_finite(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _check_constants(kind: str, name: str, found: Any, given: Mapping[str, float]) -> None:
    """Raise PlugInError for a constant that the constructor has not, or that is out of range."""
    parameters = _parameters(found)
    if parameters is None:
        return
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for constant, value in given.items():
        if constant not in parameters and not takes_any:
            own = ", ".join(parameters) or "none"
            raise PlugInError(SINGULAR[kind], name, f"has no constant {constant!r}; its own: {own}")
        for limits in _ranges(parameters.get(constant)):
            if not limits.allows(value):
                why = f"{constant} must be {limits}, and is {value:g}"
                raise PlugInError(SINGULAR[kind], name, why)


def _parameters(found: Any) -> Mapping[str, inspect.Parameter] | None:
    """The parameters of a constructor, annotations evaluated where they can be; None: unknown."""
    for evaluated in (True, False):
        with suppress(Exception):
            return inspect.signature(found, eval_str=evaluated).parameters
    return None


def _ranges(parameter: inspect.Parameter | None) -> list[Range]:
    """The ranges that the annotation of a constructor's argument names."""
    said = getattr(None if parameter is None else parameter.annotation, "__metadata__", ())
    return [each for each in said if isinstance(each, Range)]


@cache  # what is installed does not change under a running process
def _entry_points(kind: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"kapellmeister.{kind}"))


def _from_file(kind: str, name: str) -> Any:
    path, _, attribute = name.rpartition(":")
    if not Path(path).is_file():
        raise PlugInError(SINGULAR[kind], name, f"there is no file {path}", names(kind))
    try:
        return getattr(_in_time(load_file, path), attribute)
    except (Exception, SystemExit) as error:
        raise PlugInError(SINGULAR[kind], name, f"does not load: {error!r}", names(kind)) from error


def _in_time(load: Callable[[str], ModuleType], path: str) -> ModuleType:
    """The module, unless its own code takes too long; a box at work already sees to that."""
    if TimeBox.at_work:
        return load(path)
    with TimeBox(LONGEST_LOADING_S) as box:
        return box.call(load, path)


def load_file(path: str) -> ModuleType:
    """The module of a Python file, under the name that its objects are pickled by.

    Raises ImportError for what is no Python file, and whatever the file raises.
    """
    module_name = MODULE_PREFIX + Path(path).stem
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module

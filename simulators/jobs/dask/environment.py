"""The environment that a result depends on beside its job: versions, and the files of plug-ins."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Self

DISTRIBUTIONS = ("kapellmeister", "numpy", "numba", "scipy", "scikit-learn", "statsmodels")
"""Names of the packages whose version may change a figure."""
NONE = "none"


@dataclass(frozen=True, slots=True)
class Environment:
    """Versions by package, Python among them, and the SHA-256 of files by path."""

    versions: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]

    @classmethod
    def here(cls, files: Iterable[str]) -> Self:
        """The environment of this process, with these files."""
        return cls(versions(), tuple((each, _hash(Path(each))) for each in files))

    def difference(self) -> str:
        """What differs in this process, in words; nothing where it is the same."""
        there = Environment.here(path for path, _ in self.files)
        pairs = zip(self.versions + self.files, there.versions + there.files, strict=True)
        found = next(((own, other) for own, other in pairs if own != other), None)
        if found is None:
            return ""
        (name, own), (_, other) = found
        if (name, own) in self.files:
            return f"{name} is not the same file on {platform.node()}"
        return f"{name} is {own} here and {other} on {platform.node()}"


@cache  # what is installed does not change under a running process
def versions() -> tuple[tuple[str, str], ...]:
    """Versions of this process by package, and that of Python."""
    python = ("Python", platform.python_version())
    return (python, *((name, _version(name)) for name in DISTRIBUTIONS))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return NONE


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else NONE

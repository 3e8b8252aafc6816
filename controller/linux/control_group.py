"""Programs by the control group that they are in, as /proc/PID/cgroup tells it."""

from __future__ import annotations

from collections.abc import Iterable

PREFIX = "cgroup:"


def is_group(program: str) -> bool:
    """Whether a program of the configuration is meant by its control group."""
    return program.startswith(PREFIX)


def checked(program: str) -> str:
    """A program that can be meant, as given. Raises ValueError in one line for any other.

    The root group is none: every process of the machine would be in it. Nor is a path that the
    kernel would never write so: nothing would match it.
    """
    if not program.strip():
        raise ValueError("names no program")
    if is_group(program):
        root, *names = program.removeprefix(PREFIX).split("/")
        if root or not names or not all(map(_is_name, names)):
            raise ValueError(f"not a control group below the root, such as {PREFIX}/system.slice/x")
    return program


def _is_name(part: str) -> bool:
    return part not in ("", ".", "..") and part == part.strip()


def is_within(groups: Iterable[str], listing: str) -> bool:
    """Whether a process is in one of these groups or below it.

    `listing` is its /proc/PID/cgroup: `number:controllers:path` for each hierarchy of version 1,
    and `0::path` for version 2.
    """
    lines = (line.split(":", 2) for line in listing.splitlines())
    paths = [fields[2] + "/" for fields in lines if len(fields) == 3]
    wanted = [group.removeprefix(PREFIX) + "/" for group in groups]
    return any(path.startswith(group) for path in paths for group in wanted)

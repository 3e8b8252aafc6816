"""A finding of the doctor: a thing of the machine, how it stands, and how to enable it."""

from __future__ import annotations

from enum import StrEnum

from simulators.figures import Figures


class Status(StrEnum):
    """How a thing stands: it works, it is not allowed, it is not here, or it is merely a fact."""

    WORKS = "works"
    REFUSED = "refused"
    ABSENT = "absent"
    NOTE = "note"


class Finding(Figures):
    """A thing that was looked at; `remedy` says how to enable it where that is possible."""

    name: str
    status: Status
    found: str
    remedy: str = ""


def note(name: str, found: str) -> Finding:
    """A mere fact."""
    return Finding(name=name, status=Status.NOTE, found=found)

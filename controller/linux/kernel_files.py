"""Files of /proc and /sys, read so that nonsense in them is told, and never believed.

Only the standard library is imported from here, so that the watchdog stays small.
"""

from __future__ import annotations

import os
from pathlib import Path

from controller.errors import KernelFileError

LARGEST_BYTES = 1 << 20
"""Bytes beyond which a file is none of the kernel's that are read here."""
COUNT_MAX = (1 << 64) - 1
"""Largest value that a counter of the kernel can have."""
SHOWN = 40
"""Characters of an odd file that are told."""


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a file. Raises OSError, also for one that would keep us waiting."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = bytearray()
        while len(found) < LARGEST_BYTES and (part := os.read(descriptor, 1 << 16)):
            found += part
        return bytes(found)
    finally:
        os.close(descriptor)


def read_text(path: Path | str) -> str:
    """The text of a file, whatever its bytes. Raises KernelFileError with the reason."""
    try:
        return read_bytes(path).decode(errors="replace")
    except OSError as error:
        raise KernelFileError(path, error.strerror or str(error)) from error


def read_count(path: Path | str) -> int:
    """The one count that the file holds. Raises KernelFileError with what it says instead."""
    text = read_text(path)
    try:
        return count(text.strip())
    except ValueError as error:
        raise KernelFileError(path, said(text)) from error


def read_number(path: Path) -> int | None:
    """The whole number a kernel file holds, perhaps below 0; None where it has none."""
    try:
        text = read_text(path).strip()
        return -count(text[1:]) if text.startswith("-") else count(text)
    except ValueError:
        return None


def count(word: str | bytes) -> int:
    """A count as the kernel writes it: digits alone, of 64 bits. Raises ValueError."""
    if not (word.isascii() and word.isdigit() and len(word) <= len(str(COUNT_MAX))):
        raise ValueError("not a count")
    found = int(word)
    if found > COUNT_MAX:
        raise ValueError("not a count of 64 bits")
    return found


def said(text: str) -> str:
    """The text of an odd file, in a few printable words."""
    line = text.strip("\0 \t\r\n").partition("\n")[0]
    if not line:
        return "says nothing"
    shown = "".join(each if each.isprintable() else "?" for each in line[:SHOWN])
    return f"says '{shown}...'" if len(line) > SHOWN else f"says '{shown}'"

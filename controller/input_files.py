"""Files that a user names, read so that none of any kind keeps us waiting or fills the memory."""

from __future__ import annotations

import errno
import os
import select
import tomllib
from pathlib import Path
from typing import Any

PATIENCE_S = 10.0
"""Seconds that a pipe may take until more is written into it."""
LONGEST_BYTES = 1 << 22
"""Bytes beyond which a file was never written by a person."""


def read_input(path: Path, patience_s: float = PATIENCE_S) -> bytes:
    """All of a file, or of a pipe such as `<(command)` of a shell, which can be read but once.

    Raises OSError, also for a pipe that nobody writes into and for a file without end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = bytearray()
        while part := _next(descriptor, path, patience_s):
            found += part
            if len(found) > LONGEST_BYTES:
                why = f"longer than {LONGEST_BYTES >> 20} MiB"
                raise OSError(errno.EOVERFLOW, why, str(path))
        return bytes(found)
    finally:
        os.close(descriptor)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises OSError as `read_input`, and ValueError for no TOML."""
    text = read_input(path).decode()
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError as error:
        raise ValueError("a number has too many digits") from error


def _next(descriptor: int, path: Path, patience_s: float) -> bytes:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(patience_s * 1000):
        why = f"nothing was written into it for {patience_s:g} s"
        raise OSError(errno.ETIMEDOUT, why, str(path))
    return os.read(descriptor, 1 << 16)

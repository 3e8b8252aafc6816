"""The bearer token of a service: from the environment, or from a file that nobody else reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from controller.config.remote import RemoteSection
from controller.errors import ConfigurationError
from controller.linux.os_errors import explained

REMEDY = "name a file of mode 600 that holds the token"


def read_token(section: RemoteSection) -> str | None:
    """The token; None where none was named. Raises ConfigurationError."""
    if section.token_env:
        return _usable(os.environ.get(section.token_env), "token_env", section.token_env)
    if section.token_file:
        return _usable(_content(Path(section.token_file)), "token_file", section.token_file)
    return None


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                why = f"others may read it (mode {mode:03o})"
                raise ConfigurationError(str(path), "remote.token_file", why, f"chmod 600 {path}")
            return file.read(1 << 16)
    except UnicodeDecodeError as error:
        raise ConfigurationError(str(path), "remote.token_file", "not a text", REMEDY) from error
    except OSError as error:
        reason = explained(error, path, REMEDY)
        raise ConfigurationError(str(path), "remote.token_file", *reason) from error


def _usable(token: str | None, key: str, source: str) -> str:
    """The token, without the end of the line; it stands in a header, and no message shows it."""
    token = (token or "").strip()
    if not token or not token.isascii() or not token.isprintable():
        why = "holds no token" if not token else "holds what no header can carry"
        remedy = "put the token there, and nothing else"
        raise ConfigurationError(source, f"remote.{key}", why, remedy)
    return token

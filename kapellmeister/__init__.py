"""The command line, the same as functions, and the wiring of the parts.

What is public lies in `kapellmeister.api`, and is here by the same name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kapellmeister.api import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        """The public object of that name, loaded when it is first asked for."""
        return getattr(import_module("kapellmeister.api"), name)

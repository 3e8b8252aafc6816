"""Figures as they are written to a file: frozen, and nothing in them that has no name."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Figures(BaseModel):
    """Frozen figures; a key that does not exist is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

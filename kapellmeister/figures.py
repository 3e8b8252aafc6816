"""Figures that commands write as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Figures(BaseModel):
    """Frozen figures that cross to JSON as they are."""

    model_config = ConfigDict(frozen=True)


class StrictFigures(Figures):
    """Frozen figures of which no other key is read back: that would be an error."""

    model_config = ConfigDict(extra="forbid")

"""Tells what is wrong with the metrics of a service: once when it lasts, once when it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.observation import NOT_REPORTED, Invalid, Missing, Reading

TOLD_AFTER = 3
"""Turns that a trouble must last: a single scrape that comes late is no news."""


@dataclass(slots=True)
class _Trouble:
    turns: int = 0
    told: bool = False


class Troubles:
    """Follows named readings over the turns of the loop."""

    def __init__(self) -> None:
        self._known: dict[str, _Trouble] = {}

    def follow(self, readings: Mapping[str, Reading]) -> Iterator[str]:
        """What is to be told now."""
        for name, each in readings.items():
            if each is NOT_REPORTED or not isinstance(each, Invalid | Missing):
                trouble = self._known.pop(name, None)
                if trouble is not None and trouble.told:
                    yield f"{name}: back again"
                continue
            trouble = self._known.setdefault(name, _Trouble())
            trouble.turns += 1
            if trouble.turns >= TOLD_AFTER and not trouble.told:
                trouble.told = True
                yield f"{name}: {each.reason}"

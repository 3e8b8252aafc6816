"""Durations as they are typed: `90s`, `15m`, `2h` or `7d`."""

from __future__ import annotations

import re

from controller.errors import ConfigurationError

LONGEST_S = 10 * 365 * 86_400.0
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(option: str, duration: str) -> float:
    """The seconds meant. Raises ConfigurationError where the option is given something else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", duration.strip())
    if match is None:
        why = f"{duration!r} is not a duration"
        raise ConfigurationError("command line", option, why, "give 90s, 15m, 2h or 1d")
    duration_s = float(match[1]) * UNITS_S[match[2]]
    if duration_s > LONGEST_S:
        why = f"{match[1]:.12}{match[2]} is longer than ten years"
        raise ConfigurationError("command line", option, why, "give less")
    return duration_s

"""The split of a trace for training, choosing and judging, and the family of a trace."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from controller.errors import TraceError
from controller.load.trace import LoadTrace

Split = Literal["train", "validation", "test"]
PARTS: dict[Split, tuple[float, float]] = {
    "train": (0.0, 0.6),
    "validation": (0.6, 0.8),
    "test": (0.8, 1.0),
}


def split(trace: LoadTrace, part: Split) -> LoadTrace:
    """The first 60 %, the next 20 % or the last 20 % of a trace, its time starting from 0.

    Parts follow each other in time, so that nothing that is judged was seen in training.
    """
    begin, end = (share * trace.duration_s for share in PARTS[part])
    last = part == "test"
    kept = [
        (time_s - begin, value)
        for time_s, value in zip(trace.time_s, trace.streams, strict=True)
        if begin <= time_s < end or (last and time_s >= begin)
    ]
    if not any(value is not None for _, value in kept):
        why = f"its {part} part {'is all a gap' if kept else 'holds no reading'}"
        raise TraceError(trace.where, None, why, "give a longer trace, or no --part")
    times, streams = zip(*kept, strict=True)
    shifted = tuple(time_s - times[0] for time_s in times)
    name, source = f"{trace.name}/{part}", f"{trace.where}, {part} part"
    return replace(trace, name=name, time_s=shifted, streams=streams, source=source)


def family(name: str) -> str:
    """The family of a trace, by its name up to the first digit or separator.

    `radio_tower1_5min.csv` and `radio_total_1h.csv` are both of the family `radio`.
    """
    found = re.match(r"[A-Za-z]+", name)
    return found[0].lower() if found else name

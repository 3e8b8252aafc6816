"""A tick in the live view of the terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace

from fakes import AUDIO_ALONE, KNOBS, OBJECTIVE
from rich.console import Console
from ticks import RAISED, SILENT

from controller.tick import Tick
from kapellmeister.running.live_view import LiveView
from policies.knobs import Knob, KnobState, ThreadClasses

STATES = {
    "thread_classes": KnobState(planned=RAISED, observed=ThreadClasses()),
    "nodes": KnobState(planned=2, observed=1),
}


def shown(tick: Tick, knobs: Callable[[], Mapping[str, Knob]]) -> list[list[str]]:
    """The words of each line."""
    console = Console(file=io.StringIO(), width=80, height=40, force_terminal=False)
    with LiveView(console, "conductor", OBJECTIVE, None, knobs) as view:
        view(tick)
    return [line.strip(" │").split() for line in console.file.getvalue().splitlines()]


def test_a_knob_has_a_line_and_one_for_each_class_of_work_that_the_plant_has():
    lines = shown(replace(SILENT, states=STATES), lambda: KNOBS)
    first = lines.index(["knob", "planned", "requested", "in", "force"])
    assert [line[0] for line in lines[first + 1 : first + 6]] == [
        "audio",
        "analysis",
        "visualisation",
        "background",
        "nodes",
    ]
    assert ["audio", "realtime", "60", "<=", "60%", "-", "normal"] in lines


def test_a_class_of_work_that_the_plant_has_not_has_no_line():
    lines = shown(replace(SILENT, states=STATES), lambda: {"thread_classes": AUDIO_ALONE})
    names = {line[0] for line in lines if line}
    assert "audio" in names
    assert not {"analysis", "visualisation", "background"} & names

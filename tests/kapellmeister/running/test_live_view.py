"""A tick in the live view of the terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace

from fakes import AUDIO_ALONE, KNOBS, OBJECTIVE
from gpu_readings import GPU
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


def test_a_gpu_has_its_lines_where_the_plant_tells_of_one():
    playing = replace(SILENT, observation=replace(SILENT.observation, readings=GPU))
    words = [" ".join(line) for line in shown(playing, dict)]
    first = next(place for place, line in enumerate(words) if line.startswith("gpu memory"))
    assert " ".join(words[first : first + 5]).startswith(
        "gpu memory 2.5 GiB of 4 GiB: audio 1 GiB, analysis 512 MiB, visualisation 256 MiB, "
        "cache 640 MiB, workspace 128 MiB "
        "gpu 6.1% busy, in 0.08 ms, compute 0.21 ms, out 0.03 ms, 1410 MHz, 61 °C (4 s ago), "
        "lowers its clock gpu streams 900 on the GPU, 12 on the CPU, 3 yielded"
    )
    assert not any(line and line[0] == "gpu" for line in shown(SILENT, dict))

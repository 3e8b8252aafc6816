"""Requests of the controller reach what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from pipeline_spec import SPEC

from controller.pipeline.pipeline import Pipeline
from controller.plants.builtin.connection import Connection

EXECUTOR = """
from controller.executors.null import NullExecutor
from policies.knobs import Choice, Knob, Settings

class Mine(NullExecutor):
    share = 0.5

    def knobs(self):
        return {**super().knobs(), "gpu_share": Knob("gpu_share", Choice((0.25, 0.5)), "gpu")}

    def in_force(self):
        return Settings.of({**super().in_force(), "gpu_share": self.share})

    def apply(self, knob, value):
        if knob != "gpu_share":
            return super().apply(knob, value)
        self.share = value
        return None
"""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """The conversation with a pipeline whose executor is not started, and has a share."""
    (tmp_path / "shared.py").write_text(EXECUTOR)
    changes = {"executor": f"{tmp_path}/shared.py:Mine", "analysis_share": None}
    spec = SPEC.model_copy(update=changes | {"visualisation_share": None, "duration_s": 60.0})
    with Pipeline(spec, tmp_path) as pipeline:
        answering = Thread(target=pipeline.run)
        answering.start()
        asking = Connection(tmp_path, patience_s=10.0)
        yield asking
        asking.ask("stop")
        asking.close()
        answering.join()


def test_a_share_that_is_a_knob_of_the_executor_reaches_it(connection: Connection) -> None:
    assert connection.ask("set", knob="gpu_share", value=0.25) == {}
    observed = connection.ask("observe")
    assert observed is not None
    assert observed["settings"]["gpu_share"] == 0.25


def test_a_share_that_nobody_has_is_refused(connection: Connection) -> None:
    answer = connection.ask("set", knob="tape_share", value=0.25)
    assert answer == {"error": "no knob tape_share takes 0.25"}


@pytest.mark.parametrize("work_class", ["analysis", "visualisation"])
def test_the_share_of_work_beside_the_sound_is_taken(
    connection: Connection, work_class: str
) -> None:
    assert connection.ask("set", knob=f"{work_class}_share", value=0.05) == {}

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
        knob = Knob("analysis_share", Choice((0.25, 0.5)), "gpu")
        return {**super().knobs(), "analysis_share": knob}

    def in_force(self):
        return Settings.of({**super().in_force(), "analysis_share": self.share})

    def apply(self, knob, value):
        if knob != "analysis_share":
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


def share_in_force(connection: Connection) -> object:
    observed = connection.ask("observe")
    assert observed is not None
    return observed["settings"]["analysis_share"]


def test_a_knob_of_the_executor_reaches_it_though_companions_have_a_share_too(
    connection: Connection,
) -> None:
    assert connection.ask("set", knob="analysis_share", value=0.25) == {}
    assert share_in_force(connection) == 0.25


def test_a_knob_that_nobody_has_is_refused(connection: Connection) -> None:
    answer = connection.ask("set", knob="visualisation_share", value=0.25)
    assert answer == {"error": "no knob visualisation_share takes 0.25"}


@pytest.mark.parametrize("work", ["analysis", "visualisation"])
def test_a_budget_goes_to_the_companion_and_no_further(connection: Connection, work: str) -> None:
    assert connection.ask("budget", work=work, share=0.05) == {}
    assert share_in_force(connection) == 0.5


def test_a_budget_for_work_that_no_companion_does_is_refused(connection: Connection) -> None:
    answer = connection.ask("budget", work="audio", share=0.05)
    assert answer == {"error": "no companion does audio"}

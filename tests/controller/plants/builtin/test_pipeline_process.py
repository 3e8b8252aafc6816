"""Pipelines that play on."""

from pathlib import Path

import pytest

from controller.plants.builtin import pipeline_process
from controller.plants.builtin.pipeline_process import running_pipeline


def test_a_pipeline_of_another_version_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Older:
        def __init__(self, directory: Path, patience_s: float) -> None:
            pass

        def ask(self, do: str) -> dict[str, object]:
            return {"pid": 1, "spec": {"nodes": 1, "batch_size": 64}}

        def close(self) -> None:
            pass

    monkeypatch.setattr(pipeline_process, "Connection", Older)
    assert running_pipeline(Path()) is None

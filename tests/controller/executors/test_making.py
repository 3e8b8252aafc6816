"""An executor is made by its name, and so is the workload that it renders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from controller.errors import PlugInError
from controller.executors.executor import ExecutorSettings, make_executor
from controller.executors.null import NullExecutor
from controller.workloads.backends import numpy_backend
from controller.workloads.workload import WorkloadSettings

WORKLOAD = """
class Mine:
    memory_blocks = 0

    def __init__(self, settings, backend, gain=1.0):
        if gain < 0:
            raise ValueError("gain is below 0")
        self.gain = gain

    def reset(self, slots): pass
    def process(self, blocks, slots): return self.gain * blocks[:2]
"""


class Silence:
    def gather(self, block_index: int, slots: np.ndarray, out: np.ndarray) -> None:
        out[:] = 0.0


def settings(workload: str = "hrtf", **knobs: int) -> ExecutorSettings:
    return ExecutorSettings(workload, WorkloadSettings(48_000, 256, 16), Silence(), knobs)


@pytest.fixture
def workload(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(WORKLOAD)
    return f"{tmp_path}/mine.py:Mine"


def test_a_workload_gets_the_constants_that_its_name_ends_with(workload: str) -> None:
    made = settings(f"{workload}:gain=0.5").make_workload(numpy_backend())
    assert made.gain == 0.5  # type: ignore[attr-defined] # of this workload alone


def test_a_workload_that_cannot_be_made_is_named_and_not_its_executor(workload: str) -> None:
    with pytest.raises(PlugInError, match=r"^workload .*gain=-1: cannot be made: ValueError"):
        make_executor("cpu", settings(f"{workload}:gain=-1"))


def test_a_workload_that_lacks_a_method_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "half.py"
    file.write_text("class Half:\n    def __init__(self, settings, backend): pass\n")
    with pytest.raises(PlugInError, match="has no memory_blocks and no reset and no process"):
        make_executor("cpu", settings(f"{file}:Half"))


@pytest.mark.parametrize(
    ("given", "started"),
    [
        ({"batch_size": 16, "nodes": 2}, {"batch_size": 8, "nodes": 2}),
        ({"batch_size": 256, "nodes": 9}, {"batch_size": 64, "nodes": 4}),
        ({"batch_size": 64}, {"batch_size": 64, "nodes": 1}),
    ],
)
def test_a_knob_starts_with_the_nearest_value_that_it_can_have(
    given: dict[str, int], started: dict[str, int]
) -> None:
    made = make_executor("null", settings(**given))
    assert dict(made.in_force()) == started
    assert all(made.apply(knob, value) is None for knob, value in started.items())


def test_an_executor_that_was_made_with_another_value_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[NullExecutor] = []
    monkeypatch.setattr(NullExecutor, "close", lambda self: closed.append(self))
    kept = make_executor("null", settings(batch_size=16))
    assert len(closed) == 1
    assert kept not in closed

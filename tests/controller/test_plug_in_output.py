"""Prints of plug-ins stand beside the results, never among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kapellmeister.cli import app

NOISY = """
print("loaded")
from controller.forecasting.last_value import LastValue
from policies.baselines.static import Static


class Policy(Static):
    def decide(self, context, state):
        print("decided")
        return super().decide(context, state)


class Forecaster(LastValue):
    def predict(self, horizon_s, step_s):
        print("predicted")
        return super().predict(horizon_s, step_s)
"""


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("simulate --trace {trace} --policy {noisy}:Policy", ("loaded", "decided")),
        ("compare --traces {trace} --policies {noisy}:Policy --jobs 1", ("loaded", "decided")),
        (
            "forecast --trace {trace} --horizon 5 --models {noisy}:Forecaster",
            ("loaded", "predicted"),
        ),
        ("config --check {config}", ("loaded",)),
    ],
)
def test_what_a_plug_in_prints_goes_to_stderr(command, printed, tmp_path: Path, capfd) -> None:
    noisy, config, trace = (tmp_path / name for name in ("noisy.py", "my.toml", "load.csv"))
    noisy.write_text(NOISY, encoding="utf-8")
    config.write_text(f"[loop]\npolicy = '{noisy}:Policy'\n", encoding="utf-8")
    trace.write_text("\n".join(f"{60 * k},{k % 7}" for k in range(60)), encoding="utf-8")
    app(command.format(noisy=noisy, config=config, trace=trace).split(), standalone_mode=False)
    results, beside = capfd.readouterr()
    assert results
    assert set(printed).isdisjoint(results.splitlines())
    assert set(printed) <= set(beside.splitlines())

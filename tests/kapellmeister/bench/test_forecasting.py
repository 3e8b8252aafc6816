"""Measurements of `bench forecast`."""

from __future__ import annotations

import pytest

from controller.errors import PlugInError
from kapellmeister.bench import forecasting
from kapellmeister.bench.forecasting import bench_forecasting


def test_a_forecaster_is_timed_at_each_horizon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "SAMPLES", 400)
    monkeypatch.setattr(forecasting, "MEASURED_FROM", 100)
    done: list[float] = []
    report = bench_forecasting("ridge", done.append)
    assert done == [0.5, 1.0]
    assert [each.steps for each in report.horizons] == [16, 60]
    for each in report.horizons:
        assert 0.0 < each.p50_ms <= each.p99_ms <= each.longest_ms
        assert each.fits > 0
        assert each.longest_fit_s > 0.0


def test_last_value_has_nothing_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "SAMPLES", 50)
    monkeypatch.setattr(forecasting, "MEASURED_FROM", 10)
    report = bench_forecasting("last_value", lambda _: None)
    assert [each.fits for each in report.horizons] == [0, 0]
    assert [each.longest_fit_s for each in report.horizons] == [0.0, 0.0]


def test_an_unknown_forecaster_is_named_before_anything_is_measured() -> None:
    with pytest.raises(PlugInError, match="psychic"):
        bench_forecasting("psychic", lambda _: None)

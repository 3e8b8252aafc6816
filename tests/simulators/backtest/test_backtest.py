"""Rolling origins: what a forecaster is given, asked and scored on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rich.console import Console

from controller.errors import ConfigurationError, PlugInError, TraceError
from controller.load.trace import LoadTrace
from kapellmeister.experiments.forecast import ForecastOptions, backtest_of, forecast, print_report
from simulators.backtest.backtest import BackTest, backtest
from simulators.backtest.series import Series

HEAD = """
import numpy as np
from controller.forecasting.forecaster import FitTask
from controller.forecasting.last_value import LastValue
from policies.forecast import Forecast
from policies.observation import fresh


class Mine(LastValue):
    name = "mine"
"""


def written(folder, body):
    """A forecaster of one's own."""
    (folder / "mine.py").write_text(HEAD + body, encoding="utf-8")
    return f"{folder / 'mine.py'}:Mine"


def trace(*loads, step_s=60.0):
    times = tuple(step_s * k for k in range(len(loads)))
    return LoadTrace("t", times, tuple(None if each is None else float(each) for each in loads))


SAW = trace(*[10, 20, 30, 40] * 20)


def figures(test):
    return backtest(test).report.models


def test_origins_are_spread_over_the_second_half_and_leave_room_for_the_horizon():
    assert Series.of(SAW).origins(5, 20) == (40, 45, 50, 55, 60)


def test_fewer_origins_than_were_asked_for_are_said(capsys):
    report = backtest(BackTest((SAW,), ("last_value",), horizon=20, origins=30)).report
    assert (report.origins, report.origins_asked) == (21, 30)
    print_report(report, Console())
    assert "30 origins were asked for; t leaves room for 21\n" in capsys.readouterr().out
    report = backtest(BackTest((SAW,), ("last_value",), horizon=20, origins=21)).report
    print_report(report, Console())
    assert "asked for" not in capsys.readouterr().out


def test_no_origin_follows_a_gap_or_precedes_one_that_is_longer_than_half_the_horizon():
    loads = [5] * 30 + [None] * 10 + [5] * 20
    origins = Series.of(trace(*loads)).origins(100, 10)
    assert origins == tuple(range(41, 51))


def test_readings_off_the_grid_are_brought_to_it_and_what_is_between_is_a_gap():
    series = Series.of(LoadTrace("t", (0.0, 61.0, 119.0, 300.0), (1.0, 2.0, 3.0, 4.0)))
    assert (series.step_s, series.known.tolist()) == (61.0, [True, True, True, False, False, True])
    assert series.values[series.known].tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("loads", "says"), [([5], "one reading only"), ([5] * 20, "its 20 readings are too few")]
)
def test_a_trace_that_is_too_short_says_so(loads, says):
    with pytest.raises(TraceError, match=says):
        figures(BackTest((trace(*loads),), ("last_value",)))


def test_the_horizons_are_those_of_the_benchmark_as_far_as_they_go():
    assert BackTest((), (), horizon=60).horizons == (1, 10, 60)
    assert BackTest((), (), horizon=7).horizons == (1, 7)
    assert BackTest((), (), horizon=1).horizons == (1,)


def test_last_value_is_played_beside_any_other_and_is_the_unit_of_its_loss(tmp_path):
    knowing = written(
        tmp_path,
        """
    def predict(self, horizon_s, step_s):
        steps = round(horizon_s / step_s)
        ahead = (self._state.updates + np.arange(steps)) % 4
        return Forecast(np.tile(10.0 + 10.0 * ahead, (2, 1)), step_s, 0.0, self.name)
""",
    )
    found = figures(BackTest((SAW,), (knowing,), horizon=10))
    assert set(found) == {knowing, "last_value"}
    assert found["last_value"].relative_wql == 1.0
    assert (found[knowing].wql, found[knowing].relative_wql) == (0.0, 0.0)
    assert found[knowing].mase == 0.0
    assert found[knowing].peak_coverage_p99 == 1.0


def test_a_gap_comes_as_a_gap_and_the_future_not_at_all(tmp_path):
    body = f"""
    def update(self, time_s, reading):
        super().update(time_s, reading)
        with open({str(tmp_path / "seen")!r}, "a") as file:
            print(time_s, fresh(reading), file=file)
"""
    loads = [1, 2, None, 4, 5, 6, 7, 8, 9, 10]
    test = BackTest((trace(*loads),), (written(tmp_path, body),), horizon=2, origins=1)
    figures(test)
    seen = (tmp_path / "seen").read_text().splitlines()
    assert seen == ["0.0 1.0", "60.0 2.0", "120.0 None", "180.0 4.0", "240.0 5.0"]


def test_fits_are_made_whenever_they_are_asked_for_and_their_results_brought_back(tmp_path):
    body = """
    level = 0.0

    def fit_task(self):
        if self._state.updates % 10:
            return None
        return FitTask("level", float, (self._state.value + 1.0,))

    def fitted(self, result):
        self.level = result

    def predict(self, horizon_s, step_s):
        paths = np.full((2, round(horizon_s / step_s)), self.level)
        return Forecast(paths, step_s, 0.0, self.name)
"""
    test = BackTest((trace(*[5] * 60),), (written(tmp_path, body),), horizon=5, origins=3)
    result = backtest(test)
    ((_, stated), *_) = result.stated.items()
    assert (stated.quantiles == 6.0).all()
    assert result.report.models[test.models[0]].fits == 5


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("    def update(self, *_): raise ValueError('no idea')", "no idea"),
        ("    def predict(self, *_): return None", "said nothing after 40 readings"),
        ("    def predict(self, *_): return 3", "returned a int"),
        (
            "    def predict(self, *_):\n"
            "        return Forecast(np.full((2, 9), np.nan), 60.0, 0.0, 'm')",
            "not finite",
        ),
        (
            "    def predict(self, *_): return Forecast(np.ones((2, 9)), 60.0, 0.0, 'm')",
            "9 steps of 60 s where 10 of 60 s",
        ),
        (
            "    def predict(self, *_): return Forecast(np.ones((2, 10)), 1.0, 0.0, 'm')",
            "10 steps of 1 s where 10 of 60 s",
        ),
    ],
)
def test_one_that_fails_is_marked_with_what_it_did_and_the_rest_is_finished(tmp_path, body, says):
    mine = written(tmp_path, body)
    found = figures(BackTest((SAW,), (mine,), horizon=10))
    assert says in (found[mine].error or "")
    assert found[mine].traces == 0
    assert found["last_value"].error is None


def test_one_that_never_returns_is_broken_off(tmp_path, monkeypatch):
    monkeypatch.setattr("simulators.backtest.job.LONGEST_CALL_S", 0.2)
    mine = written(tmp_path, "    def update(self, *_):\n        while True: pass")
    found = figures(BackTest((SAW,), (mine,), horizon=10))
    assert "took longer" in (found[mine].error or "")


def test_a_peer_is_fitted_at_each_origin_to_what_came_before_with_its_gaps_filled():
    class Peer:
        name = "autoarima"

        def __init__(self):
            self.given = []

        def fit(self, values, step_s):
            self.given.append(values.tolist())
            return lambda steps: np.full((3, steps), values[-1])

    peer = Peer()
    loads = [1, 2, None, 4, 5, 5, 5, 5, 5, 5]
    report = backtest(BackTest((trace(*loads),), (), (peer,), horizon=2, origins=2)).report
    assert peer.given == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 5, 5, 5]]
    assert report.reference == "autoarima"
    assert report.models["autoarima"].relative_wql == 1.0
    assert report.models["autoarima"].peak_coverage_p90 is None


def test_the_command_gives_the_figures_of_all_traces_together_and_of_each():
    result = forecast(ForecastOptions("diurnal:1d,poisson:1d", ["last_value"], 10, 4))
    report = json.loads(result.report.model_dump_json())
    assert "last_value" in report["models"]
    assert (report["origins"], report["horizons"]) == (4, [1, 10])
    assert set(report["traces"]) == {"diurnal:1d", "poisson:1d"}
    keys = {"mase", "wql", "relative_wql", "coverage_p90", "coverage_p99", "fit_s", "predict_ms"}
    assert keys <= set(report["models"]["last_value"])


def test_the_same_back_test_gives_the_same_scores():
    options = ForecastOptions("burst:6h", ["last_value"], 10, 4)
    one, other = (forecast(options).report.models["last_value"] for _ in range(2))
    clocked = {"predict_ms", "cpu_ms"}
    assert one.model_dump(exclude=clocked) == other.model_dump(exclude=clocked)


def test_a_forecaster_that_does_not_exist_names_those_that_do():
    with pytest.raises(PlugInError, match=r"known: .*last_value"):
        backtest_of(ForecastOptions("diurnal:6h", ["last_valu"], 10, 4))


def test_no_forecaster_at_all_is_refused():
    with pytest.raises(ConfigurationError, match="--models"):
        backtest_of(ForecastOptions("diurnal:6h", [""], 10, 4))

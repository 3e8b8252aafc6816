"""A back-test, drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import ConfigurationError
from kapellmeister.experiments.forecast import ForecastOptions, forecast
from kapellmeister.experiments.forecast_picture import check_picture, write_picture

pytest.importorskip("plotly")


def test_the_page_holds_each_forecaster_and_each_trace_and_needs_nothing_else(tmp_path):
    silent = tmp_path / "silent.py"
    silent.write_text(
        "from controller.forecasting.last_value import LastValue\n"
        "class Silent(LastValue):\n    def predict(self, *_): return None\n",
        encoding="utf-8",
    )
    result = forecast(
        ForecastOptions("diurnal:1d,burst:1d", ["last_value", f"{silent}:Silent"], 10, 3)
    )
    page = tmp_path / "page.html"
    write_picture(result, page)
    text = page.read_text(encoding="utf-8")
    assert "2 forecasters on" in text
    assert "failed on diurnal:1d: said nothing after 720 readings" in text
    assert "median of last_value" in text
    assert all(f"<td>{trace}</td>" in text for trace in ("diurnal:1d", "burst:1d"))
    assert "src=" not in text.split("<body>")[1]


def test_a_picture_of_no_known_kind_is_refused_before_any_work():
    with pytest.raises(ConfigurationError, match=r"neither \.html nor \.png"):
        check_picture(Path("loss.gif"))


def test_a_png_without_a_browser_to_draw_it_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr("kapellmeister.experiments.forecast_picture._has_browser", lambda: False)
    with pytest.raises(ConfigurationError, match=r"Chromium.*name a \.html file"):
        check_picture(Path("loss.png"))

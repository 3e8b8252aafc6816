"""A back-test as a picture: forecasts beside what came, and how good each forecaster was."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from controller.errors import ConfigurationError, MissingExtraError
from simulators.backtest.backtest import BackTestResult
from simulators.backtest.figures import ModelFigures
from simulators.backtest.scores import Stated
from simulators.backtest.series import Series

CAME, BEFORE, SAID = "#222222", "#9aa3ad", "#3f6fb5"
BANDS = ("rgba(63,111,181,0.30)", "rgba(63,111,181,0.14)")
"""Colours of the bands from the median to p90, and on to p99."""
HORIZON_COLOURS = ("#e2b07a", "#d1702f", "#7a3b12", "#3d1c08")
COVERAGE_COLOURS = {
    "p90": "#3d8f5f",
    "p99": "#3f6fb5",
    "peak p90": "#3d8f5f",
    "peak p99": "#3f6fb5",
}
TARGET_COLOUR = "#b03a3a"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
PANELS, COLUMNS = 4, 12
HISTORY = 1.5
"""Horizons that are shown before an origin."""
UNITS = ((172_800.0, 86_400.0, "days"), (7200.0, 3600.0, "hours"), (120.0, 60.0, "minutes"))
WIDTH, PANEL_HEIGHT, ROW_HEIGHT = 1240, 250, 26
FAVOURITE = "ensemble"


def check_picture(path: Path) -> None:
    """Find out, before minutes of work, whether such a picture can be drawn.

    Raises ConfigurationError and MissingExtraError.
    """
    if path.suffix not in (".html", ".png"):
        raise _impossible(path, "neither .html nor .png", "name such a file")
    packages = ("plotly", "jinja2") if path.suffix == ".html" else ("plotly", "kaleido")
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, "report") from error
    if path.suffix == ".png" and not _has_browser():
        why = "a .png needs Chrome or Chromium, and there is none"
        raise _impossible(path, why, "install it, or name a .html file")


def write_picture(result: BackTestResult, path: Path) -> None:
    """Draw it into a page for a browser, which needs nothing else, or into a PNG."""
    figure = _Drawing(result).figure()
    if path.suffix == ".png":
        figure.write_image(path, scale=2)
        return
    jinja2 = importlib.import_module("jinja2")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = Path(__file__).with_name("forecast.html.jinja").read_text(encoding="utf-8")
    text = environment.from_string(template).render(
        report=result.report,
        models=_ranked(result),
        version=metadata.version("kapellmeister"),
        plotly=importlib.import_module("plotly.offline").get_plotlyjs(),
        drawing=figure.to_html(
            full_html=False, include_plotlyjs=False, config={"displaylogo": False}
        ),
    )
    path.write_text(text, encoding="utf-8")


def _has_browser() -> bool:
    browsers = importlib.import_module("choreographer.browsers.chromium")
    return browsers.Chromium.find_browser(skip_local=False) is not None


def _impossible(path: Path, why: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("command line", f"--picture {path}", why, remedy)


def _ranked(result: BackTestResult) -> list[tuple[str, ModelFigures]]:
    """Forecasters that were scored, the best first, and then those that failed."""

    def loss(item: tuple[str, ModelFigures]) -> tuple[bool, float]:
        relative = item[1].relative_wql
        return relative is None, relative or 0.0

    return sorted(result.report.models.items(), key=loss)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Some forecasts above, all forecasters below."""

    result: BackTestResult

    @property
    def shown(self) -> str:
        """Whose forecasts are drawn: the ensemble's, or those of the best."""
        scored = [name for name, figures in _ranked(self.result) if figures.traces]
        return FAVOURITE if FAVOURITE in scored else scored[0]

    def panels(self) -> list[tuple[str, int]]:
        """Traces, and which of their origins: of several traces one each."""
        drawn = [trace for trace, model in self.result.stated if model == self.shown]
        traces = [drawn[k] for k in _spread(len(drawn), PANELS)]
        of_each = PANELS // len(traces)
        return [
            (trace, origin)
            for trace in traces
            for origin in _spread(len(self.result.origins[trace]), of_each)
        ]

    def figure(self) -> Any:
        """All of it."""
        subplots = importlib.import_module("plotly.subplots")
        panels = self.panels()
        each = COLUMNS // len(panels)
        ranked = [(name, each) for name, each in _ranked(self.result) if each.traces]
        below = ROW_HEIGHT * len(ranked) + 80
        figure = subplots.make_subplots(
            rows=2,
            cols=COLUMNS,
            specs=[_cells(each), _cells(COLUMNS // 2)],
            row_heights=[PANEL_HEIGHT, below],
            vertical_spacing=90 / (PANEL_HEIGHT + below + 90),
            horizontal_spacing=0.04,
            subplot_titles=[
                *(self._title(*panel) for panel in panels),
                f"loss, as a share of {self.result.report.reference}'s",
                "how often the load, or its peak, stayed within, %",
            ],
        )
        for column, panel in zip(range(1, COLUMNS, each), panels, strict=True):
            self._panel(figure, column, *panel)
        self._losses(figure, ranked)
        self._coverages(figure, COLUMNS // 2 + 1, ranked)
        return _styled(figure, PANEL_HEIGHT + below)

    def _title(self, trace: str, number: int) -> str:
        series, origin = self.result.series[trace], self.result.origins[trace][number]
        scale, unit = _unit(origin * series.step_s)
        return f"{trace}, after {origin * series.step_s / scale:.4g} {unit}"

    def _panel(self, figure: Any, column: int, trace: str, number: int) -> None:
        series, origin = self.result.series[trace], self.result.origins[trace][number]
        stated = self.result.stated[trace, self.shown]
        scale, unit = _unit(stated.quantiles.shape[2] * series.step_s)
        self._bands(figure, column, series, stated, number, scale)
        horizon = stated.quantiles.shape[2]
        first = max(0, origin - round(HISTORY * horizon))
        for steps, colour, name in (
            (np.arange(first, origin), BEFORE, "load before"),
            (np.arange(origin - 1, origin + horizon), CAME, "load that came"),
        ):
            figure.add_scatter(
                x=_time(steps - origin + 1, series, scale),
                y=_with_gaps(series, steps),
                mode="lines",
                line={"color": colour, "width": 1.4},
                **_once(name, column),
                row=1,
                col=column,
            )
        figure.update_xaxes(title_text=unit, row=1, col=column)

    def _bands(
        self, figure: Any, column: int, series: Series, stated: Stated, number: int, scale: float
    ) -> None:
        median, p90, p99 = stated.quantiles[number]
        x = _time(np.arange(1, median.size + 1), series, scale)
        for low, high, colour, name in (
            (median, p90, BANDS[0], "to p90"),
            (p90, p99, BANDS[1], "to p99"),
        ):
            figure.add_scatter(
                x=[*x, *x[::-1]],
                y=[*high, *low[::-1]],
                fill="toself",
                fillcolor=colour,
                line={"width": 0},
                hoverinfo="skip",
                **_once(name, column),
                row=1,
                col=column,
            )
        figure.add_scatter(
            x=x,
            y=median,
            mode="lines",
            line={"color": SAID, "width": 2},
            **_once(f"median of {_label(self.shown)}", column),
            row=1,
            col=column,
        )

    def _losses(self, figure: Any, ranked: Sequence[tuple[str, ModelFigures]]) -> None:
        """A point a horizon, and a bar over all of them."""
        names = [_label(name) for name, _ in ranked]
        figure.add_bar(
            x=[each.relative_wql for _, each in ranked],
            y=names,
            orientation="h",
            marker={"color": "#e6e8eb"},
            text=[_two(each.relative_wql) for _, each in ranked],
            textposition="inside",
            insidetextanchor="start",
            textfont={"color": "#555"},
            name="all horizons",
            legend="legend2",
            row=2,
            col=1,
        )
        for horizon, colour in zip(self.result.report.horizons, HORIZON_COLOURS, strict=False):
            figure.add_scatter(
                x=[each.by_horizon[horizon].relative_wql for _, each in ranked],
                y=names,
                mode="markers",
                marker={"color": colour, "size": 10, "line": {"color": "white", "width": 1}},
                name=f"up to {horizon} step{'s' if horizon > 1 else ''}",
                legend="legend2",
                hovertemplate="%{y}: %{x:.2f}<extra></extra>",
                row=2,
                col=1,
            )
        figure.add_vline(x=1.0, line={"color": TARGET_COLOUR, "dash": "dot", "width": 1.2}, row=2)
        figure.update_yaxes(autorange="reversed", row=2, col=1)

    def _coverages(
        self, figure: Any, column: int, ranked: Sequence[tuple[str, ModelFigures]]
    ) -> None:
        for what, colour in COVERAGE_COLOURS.items():
            field = ("peak_" if "peak" in what else "") + f"coverage_{what[-3:]}"
            shares = [getattr(each, field) for _, each in ranked]
            figure.add_scatter(
                x=[None if share is None else 100.0 * share for share in shares],
                y=[_label(name) for name, _ in ranked],
                mode="markers",
                marker={
                    "color": colour if "peak" not in what else "white",
                    "size": 10,
                    "symbol": "diamond" if "peak" in what else "circle",
                    "line": {"color": colour if "peak" in what else "white", "width": 1.6},
                },
                name=what,
                legend="legend3",
                hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
                row=2,
                col=column,
            )
        for target, colour in ((90.0, COVERAGE_COLOURS["p90"]), (99.0, COVERAGE_COLOURS["p99"])):
            line = {"color": colour, "dash": "dot", "width": 1.2}
            figure.add_vline(x=target, line=line, row=2, col=column)
        figure.update_yaxes(autorange="reversed", showticklabels=False, row=2, col=column)


def _cells(wide: int) -> list[dict[str, int] | None]:
    """A row of cells, each of which spans so many columns."""
    return [{"colspan": wide} if k % wide == 0 else None for k in range(COLUMNS)]


def _label(name: str) -> str:
    """The name of a forecaster, without the folder of its file."""
    return name.rpartition("/")[2]


def _spread(count: int, wanted: int) -> list[int]:
    """Numbers below `count`, so many of them, evenly."""
    spread = np.linspace(0, count - 1, min(count, wanted) + 2 if count > wanted + 1 else count)
    chosen = spread[1:-1] if spread.size > min(count, wanted) else spread
    return [int(each) for each in np.rint(chosen)]


def _unit(span_s: float) -> tuple[float, str]:
    """Seconds in the unit that fits a span, and its name."""
    for least_s, scale, name in UNITS:
        if span_s >= least_s:
            return scale, name
    return 1.0, "seconds"


def _time(steps: Any, series: Series, scale: float) -> list[float]:
    return [float(step) * series.step_s / scale for step in steps]


def _with_gaps(series: Series, steps: Any) -> list[float | None]:
    return [float(series.values[step]) if series.known[step] else None for step in steps]


def _once(name: str, column: int) -> dict[str, Any]:
    """A line of the legend for all panels."""
    return {"name": name, "legendgroup": name, "showlegend": column == 1}


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _styled(figure: Any, drawn: int) -> Any:
    above, below = 80, 90
    legend = {"orientation": "h", "font": {"size": 11}, "xanchor": "left"}
    under = legend | {"yanchor": "top", "y": -45 / drawn}
    figure.update_layout(
        template="plotly_white",
        width=WIDTH,
        height=drawn + 90 + above + below,
        margin={"l": 130, "r": 20, "t": above, "b": below},
        font={"family": FONT, "size": 12, "color": "#222"},
        legend=legend | {"yanchor": "bottom", "x": 0.0, "y": 1.0 + 35 / drawn},
        legend2=under | {"x": 0.0},
        legend3=under | {"x": 0.52},
        bargap=0.35,
    )
    figure.update_yaxes(rangemode="tozero", row=1)
    figure.update_xaxes(title_font_size=11, title_standoff=4)
    figure.update_annotations(font={"size": 12, "color": "#555"})
    return figure

"""The page for a browser: cost against misses, the tables, and what happened when."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.errors import MissingExtraError
from simulators.comparison.figures import ComparisonReport, PolicyFigures
from simulators.comparison.rows import read_rows, rows_path
from simulators.timeline import Rows

COLOURS = (
    "#3f6fb5", "#d1702f", "#3d8f5f", "#a84a5a", "#7a63ad", "#8a6d4b",
    "#c05f9e", "#5d6b7a", "#a39a2c", "#2f95a3", "#b5893f", "#6f8f3a",
)  # fmt: skip
ORACLE_COLOUR, LOAD_COLOUR, BAND_COLOUR = "#222222", "#9aa3ad", "rgba(63,111,181,0.18)"
COSTS = (0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50)
"""Costs at which the axis bears a number, times the oracle's."""
POINTS = 1400
"""Columns of a time line: more than a screen can tell apart."""
SHOWN_AT_FIRST = 3
"""Policies that a time line shows before anybody asks for more."""
NONE_MISSED = 1e-6
"""Miss rate at which a policy that missed nothing stands on a logarithmic axis."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of these figures, and of the rows that they come from, in the folder `rows`."""

    figures: ComparisonReport
    rows: Path
    version: str

    def write(self, path: Path, progress: Callable[[float], None] = lambda _: None) -> None:
        """Write the page; it needs nothing else, neither files nor a network.

        Raises MissingExtraError where what draws it is not installed.
        """
        check_plotly()
        jinja2 = importlib.import_module("jinja2")
        plotly_js = importlib.import_module("plotly.offline").get_plotlyjs()
        environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        timelines = []
        for number, trace in enumerate(self.figures.traces):
            timelines.append((trace, _drawn(self._timeline(trace))))
            progress((number + 1) / len(self.figures.traces))
        template = Path(__file__).with_name("page.html.jinja").read_text(encoding="utf-8")
        text = environment.from_string(template).render(
            figures=self.figures,
            version=self.version,
            plotly=plotly_js,
            front=_drawn(self._front()),
            timelines=timelines,
            policies=[_Row(*each) for each in self.figures.policies.items()],
            colours=self._colours(),
            target=self.figures.target_miss_rate,
        )
        path.write_text(text, encoding="utf-8")

    def _colours(self) -> dict[str, str]:
        return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(self.figures.policies)}

    def _front(self) -> Any:
        """Cost against misses: each policy as it ships, and what a sweep found around it."""
        go = importlib.import_module("plotly.graph_objects")
        figure = go.Figure()
        for name, policy in self.figures.policies.items():
            colour = self._colours()[name]
            swept = [each for each in policy.settings if each.cost_vs_oracle is not None]
            if swept:
                figure.add_scatter(
                    x=[each.cost_vs_oracle for each in swept],
                    y=[_on_log_axis(each.miss_rate) for each in swept],
                    text=[_setting(each.setting) for each in swept],
                    mode="markers",
                    marker={"color": colour, "size": 7, "opacity": 0.45},
                    name=name,
                    legendgroup=name,
                    showlegend=False,
                    hovertemplate=f"{name}<br>%{{text}}<br>cost %{{x:.2f}}, missed %{{y:.2g}}",
                )
            shipped = policy.default
            if shipped is None or shipped.cost_vs_oracle is None:
                continue
            low, high = shipped.ci95 or (shipped.cost_vs_oracle, shipped.cost_vs_oracle)
            figure.add_scatter(
                x=[shipped.cost_vs_oracle],
                y=[_on_log_axis(shipped.miss_rate)],
                error_x={
                    "array": [high - shipped.cost_vs_oracle],
                    "arrayminus": [shipped.cost_vs_oracle - low],
                    "thickness": 1,
                },
                mode="markers+text",
                text=[name],
                textposition="top center",
                marker={"color": colour, "size": 13, "line": {"color": "white", "width": 1.5}},
                name=name,
                legendgroup=name,
                hovertemplate=f"{name} as shipped<br>cost %{{x:.2f}}, missed %{{y:.2g}}",
            )
        target = self.figures.target_miss_rate
        figure.add_hline(y=target, line={"color": "#b03a3a", "dash": "dot", "width": 1.2})
        figure.add_scatter(
            x=[1.0], y=[target], mode="markers", name="oracle",
            marker={"symbol": "star", "size": 14, "color": ORACLE_COLOUR},
            hovertemplate="the oracle",
        )  # fmt: skip
        figure.update_xaxes(title="cost, times the oracle's", type="log", tickvals=COSTS)
        figure.update_yaxes(title="share of blocks missed", type="log", exponentformat="power")
        return _styled(figure, height=520)

    def _timeline(self, trace: str) -> Any:
        """Load and forecast, nodes, batch size and misses, one below the other."""
        subplots = importlib.import_module("plotly.subplots")
        titles = (
            "load, and the forecast's 50 to 99 %",
            "nodes",
            "batch size",
            "missed blocks, share",
        )
        figure = subplots.make_subplots(
            rows=4, cols=1, shared_xaxes=True, vertical_spacing=0.045,
            row_heights=[0.3, 0.34, 0.12, 0.24], subplot_titles=titles,
        )  # fmt: skip
        seed = self.figures.seeds[0]
        oracle = _scored(read_rows(rows_path(self.rows, trace, seed, None)))
        hours = oracle["time_s"] / 3600.0
        _line(figure, 1, hours, oracle["load"], "load", LOAD_COLOUR)
        _line(figure, 2, hours, oracle["nodes"], "oracle", ORACLE_COLOUR, dash="dot")
        for number, (name, policy) in enumerate(self.figures.policies.items()):
            path = rows_path(self.rows, trace, seed, name)
            if policy.error is not None or not path.exists():
                continue
            rows, shown = _scored(read_rows(path)), number < SHOWN_AT_FIRST
            self._add_policy(figure, name, rows, shown=shown)
        figure.update_xaxes(title_text="hours", row=4, col=1)
        figure.update_yaxes(rangemode="tozero")
        return _styled(figure, height=760)

    def _add_policy(self, figure: Any, name: str, rows: Rows, *, shown: bool) -> None:
        hours, colour = rows["time_s"] / 3600.0, self._colours()[name]
        if np.isfinite(rows["forecast_p99"]).any():
            _band(figure, hours, rows["forecast_p50"], rows["forecast_p99"], name, shown=shown)
        _line(figure, 2, hours, rows["nodes_ready"], name, colour, shown=shown, legend=True)
        _line(figure, 3, hours, rows["batch_size"], name, colour, shown=shown)
        blocks = np.maximum(rows["blocks"], 1)
        _line(figure, 4, hours, rows["missed"] / blocks, name, colour, shown=shown)


@dataclass(frozen=True, slots=True)
class _Row:
    """A policy as the tables show it."""

    name: str
    figures: PolicyFigures

    @property
    def hindsight(self) -> str:
        costs = list((self.figures.hindsight or {}).values())
        met = [cost for cost in costs if cost is not None]
        if not met:
            return "no trace"
        return f"{sum(met) / len(met):.2f} on {len(met)} of {len(costs)}"

    @property
    def one_setting(self) -> str:
        one = self.figures.one_setting
        if one is None or one.cost_vs_oracle is None:
            return "none"
        return f"{one.cost_vs_oracle:.2f} with {_setting(one.setting)}"


def check_plotly() -> None:
    """Raise MissingExtraError where pages cannot be drawn: before hours of work, not after."""
    for package in ("plotly", "jinja2"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, "report") from error


def thinned(time: Floats, values: Floats, points: int = POINTS) -> tuple[Floats, Floats]:
    """At most about `points` of a time line that looks the same.

    Of each stretch the first, the lowest and the highest value stay, so that no peak is lost.
    """
    if time.size <= points:
        return time, values
    stretches = np.array_split(np.arange(time.size), points // 3)
    kept: set[int] = {time.size - 1}
    for stretch in stretches:
        part = values[stretch]
        kept.add(int(stretch[0]))
        if np.isfinite(part).any():
            kept.add(int(stretch[np.nanargmin(part)]))
            kept.add(int(stretch[np.nanargmax(part)]))
    order = np.array(sorted(kept))
    return time[order], values[order]


def _scored(rows: Rows) -> dict[str, NDArray[Any]]:
    """Steps from the first scored one on, counted from there; gaps stay in, as they are."""
    scored = np.flatnonzero(rows["scored"])
    first = int(scored[0]) if scored.size else 0
    return {name: column[first:] for name, column in rows.items()}


def _line(
    figure: Any, row: int, hours: Floats, values: NDArray[Any], name: str, colour: str,
    *, dash: str | None = None, shown: bool = True, legend: bool | None = None,
) -> None:  # fmt: skip
    x, y = thinned(hours, values.astype(np.float64))
    figure.add_scatter(
        x=x.astype(np.float32), y=y.astype(np.float32), mode="lines", name=name, legendgroup=name,
        line={"color": colour, "width": 1.3, "dash": dash, "shape": "hv"},
        showlegend=dash is not None or name == "load" if legend is None else legend,
        visible=True if shown else "legendonly", row=row, col=1,
        hovertemplate=f"{name}: %{{y:.4g}}<extra></extra>",
    )  # fmt: skip


def _band(figure: Any, hours: Floats, low: Floats, high: Floats, name: str, *, shown: bool) -> None:
    """The lower edge of a forecast, and what is between it and the upper one."""
    visible = True if shown else "legendonly"
    common: Mapping[str, Any] = {"legendgroup": name, "showlegend": False, "visible": visible}
    edge = {"color": BAND_COLOUR, "width": 0.5}
    for values, fill in ((low, None), (high, "tonexty")):
        x, y = hours[:: max(1, hours.size // POINTS)], values[:: max(1, hours.size // POINTS)]
        figure.add_scatter(
            x=x.astype(np.float32), y=y.astype(np.float32), mode="lines", line=edge, fill=fill,
            fillcolor=BAND_COLOUR, hoverinfo="skip", row=1, col=1, **common,
        )  # fmt: skip


def _styled(figure: Any, height: int) -> Any:
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 70, "r": 20, "t": 30, "b": 50},
        font={"family": FONT, "size": 13, "color": "#222"},
        legend={"orientation": "v", "x": 1.01, "y": 1.0},
        hovermode="closest",
    )
    figure.update_annotations(font={"size": 12, "color": "#555"}, xanchor="left", x=0.0)
    return figure


def _drawn(figure: Any) -> str:
    text: str = figure.to_html(
        full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True}
    )
    return text


def _on_log_axis(rate: float | None) -> float:
    return max(rate or 0.0, NONE_MISSED)


def _setting(setting: Mapping[str, float]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in setting.items()) or "what it ships with"

"""One page for a browser: the arena by owner, the document's tables as bars, and every row."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any

from controller.errors import MissingExtraError
from kapellmeister.bench.hardware.document import SOURCE
from kapellmeister.bench.hardware.experiments.owners import PART as ARENA
from kapellmeister.bench.hardware.figures import HardwareReport, Row
from kapellmeister.bench.hardware.report import cells, device_words
from kapellmeister.bench.hardware.tables.optimised import BASELINE, OPTIMISED, STAGES, share, took

OURS_COLOUR, DOCUMENT_COLOUR = "#3f6fb5", "#9aa3ad"
COLOURS = ("#3f6fb5", "#d1702f", "#3d8f5f", "#7a63ad", "#8a6d4b", "#e6e8eb")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
HEIGHT = 380
Bars = Mapping[str, Mapping[str, float]]


def check_page() -> None:
    """Raise MissingExtraError where pages cannot be drawn: before minutes of work."""
    for package in ("plotly", "jinja2"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, "report") from error


def write_page(report: HardwareReport, path: Path) -> None:
    """Write the page, which needs nothing else. Raises MissingExtraError, and OSError."""
    check_page()
    jinja2 = importlib.import_module("jinja2")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = Path(__file__).with_name("hardware.html.jinja").read_text(encoding="utf-8")
    parts = [
        (part, [cells(row) for row in rows])
        for part, rows in groupby(report.rows, key=lambda row: row.part)
    ]
    text = environment.from_string(template).render(
        report=report,
        source=SOURCE,
        device=device_words(report.device),
        version=metadata.version("kapellmeister"),
        plotly=importlib.import_module("plotly.offline").get_plotlyjs(),
        drawings=drawings(report.rows),
        parts=parts,
    )
    path.write_text(text, encoding="utf-8")


def drawings(rows: tuple[Row, ...]) -> list[tuple[str, str]]:
    """Titles and pictures, of what was measured; none where nothing was."""
    found = {row.name: row.measured.median for row in rows if row.measured is not None}
    owners = {row.name: row.measured.median for row in rows if row.part == ARENA and row.measured}
    saved = {stage: found[share(stage)] for stage in STAGES if share(stage) in found}
    stages = {
        who: {stage: found[took(stage, who)] for stage in STAGES if took(stage, who) in found}
        for who in (BASELINE, OPTIMISED)
    }
    drawn = [
        ("Shares of the arena by owner, MiB", _pie(owners)),
        ("Shares of each stage in what is saved, %", _pie(saved)),
        ("Baseline against optimised, ms a block", _bars(stages)),
        *(
            (f"{part}, beside {SOURCE}", _bars(_beside_document(rows, part)))
            for part in dict.fromkeys(row.part for row in rows if row.document is not None)
        ),
    ]
    return [(title, picture) for title, picture in drawn if picture]


def _beside_document(rows: tuple[Row, ...], part: str) -> Bars:
    """Ours and the document's, of the rows that have both."""
    both = [row for row in rows if row.part == part and row.document is not None and row.measured]
    ours = {row.name: row.measured.median for row in both if row.measured is not None}
    document = {row.name: row.document for row in both if row.document is not None}
    return {"measured": ours, SOURCE: document}


def _pie(parts: Mapping[str, float]) -> str:
    shown = {name: part for name, part in parts.items() if part > 0.0}
    if not shown:
        return ""
    go = importlib.import_module("plotly.graph_objects")
    pie = go.Pie(labels=list(shown), values=list(shown.values()), sort=False, hole=0.35)
    pie.marker.colors = COLOURS[: len(shown)]
    return _drawn(go.Figure(pie))


def _bars(groups: Bars) -> str:
    if not any(groups.values()):
        return ""
    go = importlib.import_module("plotly.graph_objects")
    figure = go.Figure()
    for (name, bars), colour in zip(groups.items(), (OURS_COLOUR, DOCUMENT_COLOUR), strict=True):
        labels = [label.replace(": ", ":<br>") for label in bars]
        figure.add_bar(name=name, x=labels, y=list(bars.values()), marker={"color": colour})
    return _drawn(figure)


def _drawn(figure: Any) -> str:
    figure.update_layout(
        template="plotly_white",
        height=HEIGHT,
        margin={"l": 60, "r": 20, "t": 20, "b": 40},
        font={"family": FONT, "size": 13, "color": "#222"},
    )
    text: str = figure.to_html(
        full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True}
    )
    return text

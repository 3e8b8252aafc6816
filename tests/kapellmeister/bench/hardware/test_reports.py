"""The report of `bench hardware`: kept as it comes, in a terminal, and as a page."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from kapellmeister.bench.hardware import measure
from kapellmeister.bench.hardware.document import OPTIMISED_PERCENT
from kapellmeister.bench.hardware.experiment import Experiment
from kapellmeister.bench.hardware.figures import HardwareReport, Measured, Planned
from kapellmeister.bench.hardware.page import drawings, write_page
from kapellmeister.bench.hardware.report import print_report
from kapellmeister.bench.hardware.tables.optimised import BASELINE, OPTIMISED, share, took
from kapellmeister.cli import app
from kapellmeister.commands.options import rewrite_json

STAGES = ("transfer in", "compute", "transfer out")
ROWS = {
    "CPU against GPU": [(Planned("HRTF", "times", document=16.0), 41.0)],
    "arena by owner": [(Planned("audio", "MiB"), 30.0), (Planned("free", "MiB"), 10.0)],
    "baseline against optimised": [
        *((Planned(took(each, BASELINE), "ms"), 4.0) for each in STAGES),
        *((Planned(took(each, OPTIMISED), "ms"), 1.0) for each in STAGES),
        *((Planned(share(each), "%"), 33.3) for each in STAGES),
    ],
}


def experiments(scale: object) -> tuple[Experiment, ...]:
    del scale
    return tuple(
        Experiment(
            part,
            tuple(planned for planned, _ in rows),
            1.0,
            lambda rig, seconds, rows=rows: (Measured.once(p.name, value) for p, value in rows),
        )
        for part, rows in ROWS.items()
    )


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[HardwareReport]:
    """All that was kept of a run, the whole last."""
    monkeypatch.setattr(measure, "experiments", experiments)
    kept: list[HardwareReport] = []
    measure.bench_hardware("emulated", 5.0, kept.append, lambda _: None)
    return kept


def test_every_row_is_kept_as_soon_as_it_is_there(reports: list[HardwareReport]) -> None:
    assert [len(report.rows) for report in reports] == [*range(1, 13), 12]
    assert [report.is_complete for report in reports] == [False] * 12 + [True]
    assert reports[0].rows[0].document == 16.0


def test_a_run_that_is_cut_leaves_whole_json(reports: list[HardwareReport], tmp_path: Path) -> None:
    path = tmp_path / "hardware.json"
    for report in reports[:3]:
        rewrite_json(path, report, is_last=False)
    assert HardwareReport.model_validate_json(path.read_text()) == reports[2]
    assert list(tmp_path.iterdir()) == [path]


def test_the_terminal_shows_each_part_with_what_stands_beside(
    reports: list[HardwareReport],
) -> None:
    console = Console(file=io.StringIO(), width=200)
    print_report(reports[0], console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "emulated on numpy, 1 multiprocessors, 0.5 GiB" in shown
    assert "the owner's document" in shown
    assert "HRTF, times" in shown
    assert "cut short" in shown


def test_the_page_draws_pies_and_bars(reports: list[HardwareReport], tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    titles = [title for title, _ in drawings(reports[-1].rows)]
    assert titles == [
        "Shares of the arena by owner, MiB",
        "Shares of each stage in what is saved, %",
        "Baseline against optimised, ms a block",
        "CPU against GPU, beside the owner's document",
    ]
    write_page(reports[-1], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<h2>arena by owner</h2>" in page
    assert "was not measured by" in page


def test_what_was_not_measured_is_not_drawn(reports: list[HardwareReport]) -> None:
    pytest.importorskip("plotly")
    rows = tuple(row.model_copy(update={"measured": None}) for row in reports[-1].rows)
    assert drawings(rows) == []


def test_the_document_has_four_components() -> None:
    assert OPTIMISED_PERCENT == (80.0, 73.0, 90.0, 88.0)


def test_the_command_measures_and_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measure, "experiments", experiments)
    path = tmp_path / "out.json"
    options = ("--device", "emulated", "--budget", "2", "--json", str(path))
    result = CliRunner().invoke(app, ["bench", "hardware", *options])
    assert result.exit_code == 0, result.output
    assert json.loads(path.read_text())["is_complete"]

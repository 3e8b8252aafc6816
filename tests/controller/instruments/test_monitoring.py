"""The alerts and the dashboard ask for metrics that exist, and promtool understands them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from exposed_tick import OBJECTIVE, TICK, TIMES
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from controller.instruments.metric_families import Totals, families
from controller.tick import ForecastSummary
from policies.knobs import KnobState, ThreadClasses
from policies.observation import BlockCounts, Observation, StageTimes, Value

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "docs" / "deploy" / "prometheus" / "alerts.yaml"
ALERTS_TEST = ROOT / "tests" / "support" / "alerts_test.yaml"
DASHBOARD = ROOT / "docs" / "deploy" / "grafana" / "kapellmeister.json"
EXAMPLES = ROOT / "docs" / "examples"

TARGET_LABELS = {"job", "instance"}
"""Labels that Prometheus itself adds to every sample."""
GROUPINGS = r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"
WORDS = {"and", "or", "unless", "bool", "sum"}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed; the package prometheus of Debian has it",
)

Labels = Mapping[str, set[str]]
"""The labels of each metric."""


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def targets() -> list[dict[str, str]]:
    return [each for panel in dashboard()["panels"] for each in panel.get("targets", ())]


def variables() -> list[str]:
    """Queries in which the lists of the dashboard's variables are looked up."""
    queries = [each["query"] for each in dashboard()["templating"]["list"]]
    found = [
        re.fullmatch(r"label_values\((.+), \w+\)", q["query"]) for q in queries if "query" in q
    ]
    return [each[1] for each in found if each is not None]


def expressions() -> list[str]:
    """PromQL of both, as Prometheus gets it."""
    shown = [*(each["expr"] for each in targets()), *variables()]
    asked = [expr.replace("$__rate_interval", "5m") for expr in shown]
    return [*(rule["expr"] for rule in rules()), *asked]


def without_strings(expr: str) -> str:
    return re.sub(r'"[^"]*"', '""', expr)


def metrics_in(expr: str) -> Labels:
    """The metrics that PromQL names, each with the labels that it is selected by."""
    plain = re.sub(GROUPINGS, " ", without_strings(expr))
    plain = re.sub(r"\[[^]]*\]", "", plain)
    found: dict[str, set[str]] = {}
    for name, selector, call in re.findall(
        r"(?<![\w.:])([a-zA-Z_:][\w:]*)(\{[^}]*\})?(\s*\()?", plain
    ):
        if not call and name not in WORDS:
            labels = re.findall(r"(\w+)\s*(?:=|!)", selector)
            found.setdefault(name, set()).update(labels)
    return found


def labels_grouped_by(expr: str) -> set[str]:
    lists = re.findall(GROUPINGS, without_strings(expr))
    return {label.strip() for each in lists for label in each.split(",")}


def labels_of(page: str) -> Labels:
    """Each metric of a page of metrics with its labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def with_what_prometheus_adds(exposed: Labels) -> Labels:
    """The metrics there are once they are scraped and the rules were evaluated."""
    scraped = {name: labels | TARGET_LABELS for name, labels in exposed.items()}
    recorded = {rule["record"]: TARGET_LABELS for rule in rules() if "record" in rule}
    return {**scraped, **recorded, "up": TARGET_LABELS}


def complete_page() -> str:
    """Metrics that are exposed where everything is known."""
    tick = replace(
        TICK,
        observation=Observation(
            1000.0,
            1.0,
            load=Value(3.0),
            blocks=BlockCounts(on_time=9, late=1),
            latency=TIMES,
            stages={"compute": StageTimes(TIMES, TIMES)},
            readings={"metrics.age_s": Value(0.2)},
        ),
        forecast=ForecastSummary("ensemble", True, 60.0, 10.0, 12.0, 15.0),
        states={
            "nodes": KnobState(observed=1),
            "thread_classes": KnobState(observed=ThreadClasses()),
        },
    )
    shown = SimpleNamespace(collect=lambda: families(tick, Totals().plus(tick), OBJECTIVE))
    return str(generate_latest(shown).decode())


def check_all_exist(exposed: Labels) -> None:
    known = with_what_prometheus_adds(exposed)
    for expr in expressions():
        used = metrics_in(expr)
        assert used, expr
        assert used.keys() <= known.keys(), expr
        for name, labels in used.items():
            assert labels <= known[name], expr
        assert labels_grouped_by(expr) <= set().union(*(known[name] for name in used)), expr


def test_every_expression_names_metrics_and_labels_that_are_exposed() -> None:
    check_all_exist(labels_of(complete_page()))


def test_an_expression_is_taken_apart_into_metrics_and_labels() -> None:
    expr = 'sum without (c) (rate(a_total{x!="on_time",y=~"b{2}"}[5m])) > bool 14.4 * b:c unless up'
    assert metrics_in(expr) == {"a_total": {"x", "y"}, "b:c": set(), "up": set()}
    assert labels_grouped_by(expr) == {"c"}


def test_a_label_in_a_text_is_one_of_the_metrics_behind_it() -> None:
    known = with_what_prometheus_adds(labels_of(complete_page()))
    texts = [
        (each["expr"], re.findall(r"\{\{(\w+)\}\}", each["legendFormat"])) for each in targets()
    ]
    for each in alerts():
        written = " ".join(each["annotations"].values())
        texts.append((each["expr"], re.findall(r"\$labels\.(\w+)", written)))
    for expr, labels in texts:
        assert set(labels) <= set().union(*(known[name] for name in metrics_in(expr))), expr


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for each in alerts():
        assert {"summary", "description", "action"} == each["annotations"].keys()
        assert each["labels"]["severity"] in ("critical", "warning", "info")


def test_every_alert_is_tried_both_ways() -> None:
    tests = yaml.safe_load(ALERTS_TEST.read_text(encoding="utf-8"))["tests"]
    tried = [each for test in tests for each in test["alert_rule_test"]]
    names = {each["alert"] for each in alerts()}
    assert {each["alertname"] for each in tried if each["exp_alerts"]} == names
    assert {each["alertname"] for each in tried if not each["exp_alerts"]} == names


def test_the_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    places = [each["gridPos"] for each in panels]
    assert all(at["x"] >= 0 and at["x"] + at["w"] <= 24 for at in places)
    for one, other in combinations(places, 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart |= one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart, (one, other)


def test_every_panel_asks_the_data_source_that_is_chosen() -> None:
    listed = dashboard()["templating"]["list"]
    assert [each["name"] for each in listed if each["type"] == "datasource"] == ["datasource"]
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asking = [each for each in dashboard()["panels"] if each["type"] != "row"]
    assert all(each["datasource"] == chosen for each in [*asking, *targets()])


def promtool(*arguments: str, given: str | None = None) -> None:
    done = subprocess.run(
        ["promtool", *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.live
@needs_promtool
def test_promtool_accepts_the_rules_and_each_alert_does_what_its_test_says() -> None:
    promtool("check", "rules", str(ALERTS))
    promtool("test", "rules", str(ALERTS_TEST))


@pytest.mark.live
@needs_promtool
def test_promtool_understands_every_expression(tmp_path: Path) -> None:
    recorded = [{"record": f"r{n}", "expr": expr} for n, expr in enumerate(expressions())]
    path = tmp_path / "expressions.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
    promtool("check", "rules", str(path))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def page_at(port: int, awaited: str) -> str:
    """The metrics there, once what is awaited is among them."""
    page = ""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                page = answer.read().decode()
        except OSError:
            page = ""
        if awaited in page:
            return page
        time.sleep(0.1)
    raise AssertionError(f"no {awaited} within 30 s in: {page}")


@contextmanager
def process(*command: str) -> Iterator[int]:
    """Its id."""
    with subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "KAPELLMEISTER_LOOP__INTERVAL_S": "0.5"},
    ) as started:
        try:
            yield started.pid
        finally:
            started.terminate()


@contextmanager
def controller(state: Path, *options: str) -> Iterator[str]:
    """Metrics that a run exposes after a few ticks."""
    port = free_port()
    command = ["-m", "kapellmeister", "run", "--no-live", "--duration", "40", *options]
    with process(*command, "--metrics-port", str(port), "--state-dir", str(state)):
        yield page_at(port, "kapellmeister_tick_seconds_count 3.0")


@pytest.mark.live
@needs_promtool
def test_real_runs_expose_what_is_asked_for_and_promtool_has_nothing_against_it(
    tmp_path: Path,
) -> None:
    port = free_port()
    mapping = (EXAMPLES / "service.toml").read_text(encoding="utf-8").replace("9100", str(port))
    (tmp_path / "service.toml").write_text(mapping, encoding="utf-8")
    with ExitStack() as stack:
        service = process(str(EXAMPLES / "service.py"), "--port", str(port))
        pid = stack.enter_context(service)
        page_at(port, "service_streams")
        remote = ("--plant", "remote", "--config", str(tmp_path / "service.toml"))
        runs = {
            "builtin": ("--streams", "4"),
            "remote": remote,
            "process": ("--plant", "process", "--process", str(pid)),
        }
        pages = {
            name: stack.enter_context(controller(tmp_path / name, *options))
            for name, options in runs.items()
        }
    for page in pages.values():
        promtool("check", "metrics", given=page)
    check_all_exist(labels_of("".join(pages.values())))

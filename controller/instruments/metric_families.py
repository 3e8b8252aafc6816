"""A tick and the totals so far, as Prometheus metric families.

Names and base units follow https://prometheus.io/docs/practices/naming/. What is not known
has no sample: a gap in the graph, never a zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.metrics_core import Metric

from controller.tick import Tick
from policies.diagnosis import Bottleneck
from policies.knobs import KnobState, KnobValue, ThreadClass, ThreadClasses
from policies.objective import Objective
from policies.observation import BlockCounts, Quantiles, Reading, fresh
from policies.proposal import Verdict

PREFIX = "kapellmeister"
DESIRED = "desired."
"""Beginning of the names of readings that another scaler goes by: desired.nodes."""
QUANTILES = ("0.5", "0.95", "0.99", "1")
BASE_UNITS = {
    "_ms": ("_seconds", 1e-3),
    "_us": ("_seconds", 1e-6),
    "_per_s": ("_per_second", 1.0),
    "_s": ("_seconds", 1.0),
    "_share": ("_ratio", 1.0),
    "_mhz": ("_hertz", 1e6),
    "_w": ("_watts", 1.0),
    "_c": ("_celsius", 1.0),
}
"""Prometheus endings of the units in our names, and the factor that a value is multiplied by."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The counts since the controller started; `blocks` is None until a plant reports any."""

    ticks: int = 0
    tick_s: float = 0.0
    overruns: int = 0
    alarms: int = 0
    blocks: BlockCounts | None = None
    decisions: Mapping[str, int] = field(default_factory=dict)
    rollbacks: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)

    def plus(self, tick: Tick) -> Totals:
        """The totals with one more tick."""
        blocks = tick.observation.blocks
        rolled_back = [
            each.knob for each in tick.verifications if each.verdict is Verdict.ROLLED_BACK
        ]
        return Totals(
            ticks=self.ticks + 1,
            tick_s=self.tick_s + tick.duration_ms / 1000,
            overruns=tick.overruns,
            alarms=self.alarms + len(tick.alarms),
            blocks=self.blocks if blocks is None else (self.blocks or BlockCounts()) + blocks,
            decisions=_counted(self.decisions, tick, [each.action.knob for each in tick.changes]),
            rollbacks=_counted(self.rollbacks, tick, rolled_back),
            refusals=_counted(self.refusals, tick, [each.knob for each in tick.refusals]),
        )


def _counted(before: Mapping[str, int], tick: Tick, knobs: list[str]) -> Mapping[str, int]:
    """Counts by knob; a knob that exists and was not turned has been turned 0 times."""
    known = {*before, *tick.states, *knobs}
    return {knob: before.get(knob, 0) + knobs.count(knob) for knob in sorted(known)}


def families(tick: Tick, totals: Totals, objective: Objective) -> Iterator[Metric]:
    """Every family that has at least one sample now."""
    found = (
        *_objective(objective, tick.observation.deadline_ms or objective.deadline_ms),
        *_plant(tick),
        *_control(tick),
        *_counters(totals),
        *_knobs(tick.states),
        *_restraints(tick),
    )
    return (family for family in found if family.samples)


def _objective(objective: Objective, deadline_ms: float) -> Iterator[Metric]:
    """The limits that alerts are held against, so that no rule repeats the configuration."""
    yield GaugeMetricFamily(
        f"{PREFIX}_target_miss_ratio",
        "Share of blocks that may miss their deadline.",
        objective.target_miss_rate,
    )
    yield GaugeMetricFamily(
        f"{PREFIX}_deadline_seconds",
        "From capture of a block to its deadline.",
        deadline_ms / 1000,
    )


def _plant(tick: Tick) -> Iterator[Metric]:
    seen = tick.observation
    yield _gauge("miss_ratio", "Blocks of the last interval that were not on time.", seen.miss_rate)
    latency = Metric(
        f"{PREFIX}_latency_seconds",
        "From capture to finish of a block, over the last interval.",
        "summary",
    )
    _add_quantiles(latency, {}, seen.latency)
    yield latency
    load = GaugeMetricFamily(f"{PREFIX}_load", "The load now.", labels=["unit"])
    _add(load, [seen.load_unit], seen.load)
    yield load
    yield from _stages(tick)
    for name, reading in seen.readings.items():
        ours, factor = _in_base_units(name)
        if name.startswith(DESIRED):
            text = "What the scaler that owns this knob is asked for."
            yield _gauge(ours, text, reading)
        else:
            yield _gauge(f"plant_{ours}", f"The plant's reading {name}.", reading, factor)


def _stages(tick: Tick) -> Iterator[Metric]:
    name = f"{PREFIX}_stage"
    lateness = Metric(f"{name}_start_lateness_seconds", "How late a stage started.", "summary")
    service = Metric(f"{name}_service_seconds", "How long a stage took.", "summary")
    for stage, times in tick.observation.stages.items():
        _add_quantiles(lateness, {"stage": stage}, times.start_lateness)
        _add_quantiles(service, {"stage": stage}, times.service_time)
    yield from (lateness, service)


def _control(tick: Tick) -> Iterator[Metric]:
    forecast = Metric(
        f"{PREFIX}_forecast_peak_load",
        "Forecast of the highest load over the horizon.",
        "summary",
    )
    if tick.forecast is not None:
        known = tick.forecast
        peaks = {"0.5": known.peak_p50, "0.9": known.peak_p90, "0.99": known.peak_p99}
        for quantile, peak in peaks.items():
            forecast.add_sample(forecast.name, {"quantile": quantile}, peak)
    yield forecast
    calibrated = GaugeMetricFamily(
        f"{PREFIX}_forecast_calibrated",
        "1 where the forecast's quantiles have been held against what came.",
        labels=[],
    )
    if tick.forecast is not None:
        calibrated.add_metric([], float(tick.forecast.calibrated))
    yield calibrated
    bottleneck = GaugeMetricFamily(
        f"{PREFIX}_bottleneck", "1 for what holds the blocks up.", labels=["cause"]
    )
    for cause in Bottleneck:
        bottleneck.add_metric([cause], float(cause is tick.diagnosis.bottleneck))
    yield bottleneck
    yield GaugeMetricFamily(
        f"{PREFIX}_held_actions", "Actions that the guard holds back.", len(tick.holds)
    )
    yield GaugeMetricFamily(f"{PREFIX}_shadow", "1 where nothing is acted on.", float(tick.shadow))


def _counters(totals: Totals) -> Iterator[Metric]:
    blocks = CounterMetricFamily(
        f"{PREFIX}_blocks", "Blocks of all streams by outcome.", labels=["outcome"]
    )
    if totals.blocks is not None:
        outcomes = zip(fields(BlockCounts), astuple(totals.blocks), strict=True)
        for outcome, count in outcomes:
            blocks.add_metric([outcome.name], count)
    yield blocks
    yield _by_knob("decisions", "Changes that were admitted.", totals.decisions)
    yield _by_knob("rollbacks", "Changes that were rolled back.", totals.rollbacks)
    yield _by_knob("refusals", "Changes that the plant would not take.", totals.refusals)
    yield CounterMetricFamily(f"{PREFIX}_alarms", "Alarms raised.", totals.alarms)
    yield SummaryMetricFamily(
        f"{PREFIX}_tick_seconds", "Turns of the loop.", totals.ticks, totals.tick_s
    )
    yield CounterMetricFamily(
        f"{PREFIX}_tick_overruns", "Turns that took longer than the interval.", totals.overruns
    )


def _knobs(states: Mapping[str, KnobState]) -> Iterator[Metric]:
    number = GaugeMetricFamily(
        f"{PREFIX}_knob_value", "A knob that is a number.", labels=["knob", "state"]
    )
    text = InfoMetricFamily(f"{PREFIX}_knob", "A knob that is no number.", labels=["knob", "state"])
    threads = InfoMetricFamily(
        f"{PREFIX}_thread_class", "How a class of work is scheduled.", labels=["class", "state"]
    )
    for knob, state, value in _states(states):
        if isinstance(value, ThreadClasses):
            for name, thread_class in value.items():
                threads.add_metric([name, state], _scheduling(thread_class))
        elif isinstance(value, str):
            text.add_metric([knob, state], {"value": value})
        else:
            number.add_metric([knob, state], value)
    yield from (number, text, threads)


def _restraints(tick: Tick) -> Iterator[Metric]:
    """The restraint that keeps each knob from being turned; 0 for one that has none."""
    held = GaugeMetricFamily(
        f"{PREFIX}_knob_held_seconds",
        "How long the guard has held back what is wanted of a knob.",
        labels=["knob"],
    )
    unavailable = GaugeMetricFamily(
        f"{PREFIX}_knob_unavailable",
        "1 for a knob that must not be turned: paused, in shadow, moved by another hand, at rest.",
        labels=["knob"],
    )
    since_s = {hold.knob: hold.since_s for hold in tick.holds}
    for knob in tick.states:
        held.add_metric([knob], tick.time_s - since_s.get(knob, tick.time_s))
        unavailable.add_metric([knob], float(knob in tick.unavailable))
    yield from (held, unavailable)


def _states(states: Mapping[str, KnobState]) -> Iterator[tuple[str, str, KnobValue]]:
    for knob, its in states.items():
        for state in ("planned", "requested", "observed"):
            value = getattr(its, state)
            if value is not None:
                yield knob, state, value


def _scheduling(value: ThreadClass) -> dict[str, str]:
    """Labels of one class; one that is not bounded is empty, which Prometheus reads as absent."""
    return {
        "scheduling": value.scheduling,
        "priority": str(value.priority),
        "nice": str(value.nice),
        "cpus": "" if value.cpus is None else ",".join(map(str, sorted(value.cpus))),
        "share": "" if value.share is None else f"{value.share:g}",
    }


def _by_knob(name: str, help_text: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", help_text, labels=["knob"])
    for knob, count in counts.items():
        family.add_metric([knob], count)
    return family


def _gauge(name: str, help_text: str, reading: Reading, factor: float = 1.0) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", help_text, labels=[])
    _add(family, [], reading, factor)
    return family


def _add_quantiles(family: Metric, labels: dict[str, str], found: Quantiles) -> None:
    """Add the quantiles of a summary without count and sum, which those of an interval have not."""
    readings = (found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms)
    for quantile, reading in zip(QUANTILES, readings, strict=True):
        value = fresh(reading)
        if value is not None:
            family.add_sample(family.name, {**labels, "quantile": quantile}, value * 1e-3)


def _add(
    family: GaugeMetricFamily, labels: list[str], reading: Reading, factor: float = 1.0
) -> None:
    value = fresh(reading)
    if value is not None:
        family.add_metric(labels, value * factor)


def _in_base_units(name: str) -> tuple[str, float]:
    """`analysis.round_ms` is `analysis_round_seconds`, and its values are multiplied by 0.001."""
    plain = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    if "_ms_per_" in plain:
        return plain.replace("_ms_per_", "_seconds_per_"), 1e-3
    for ending, (translated, factor) in BASE_UNITS.items():
        if plain.endswith(ending):
            return plain.removesuffix(ending) + translated, factor
    return plain, 1.0

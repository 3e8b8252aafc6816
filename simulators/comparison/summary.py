"""Finished jobs, summed up by setting, by trace and by policy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from simulators.comparison.bootstrap import confidence_interval
from simulators.comparison.figures import (
    ComparisonReport,
    DefaultFigures,
    JobFigures,
    OracleJob,
    PolicyFigures,
    SettingFigures,
    TraceFigures,
)
from simulators.comparison.request import Comparison


def summed_up(
    comparison: Comparison, jobs: Iterable[JobFigures], oracles: Iterable[OracleJob]
) -> ComparisonReport:
    """The report of finished jobs."""
    oracle = {(each.trace, each.seed): each.node_hours for each in oracles}
    by_policy: dict[str, list[JobFigures]] = {name: [] for name in comparison.policies}
    for job in jobs:
        by_policy[job.policy].append(job)
    target = comparison.base.target_miss_rate
    figures = {
        name: _policy(done, oracle, target, comparison.sweep) for name, done in by_policy.items()
    }
    first = figures[comparison.policies[0]].default
    for name in comparison.policies[1:]:
        versus = _versus(figures[name].default, first)
        figures[name] = figures[name].model_copy(update={"versus_first": versus})
    return ComparisonReport(
        policies=figures,
        traces=tuple(trace.name for trace in comparison.traces),
        seeds=comparison.seeds,
        target_miss_rate=target,
        level=comparison.base.level,
        swept=comparison.sweep,
        interval_s=comparison.base.step_s,
        last_days=comparison.base.last_days,
    )


def _policy(
    jobs: Sequence[JobFigures],
    oracle: Mapping[tuple[str, int], float],
    target: float,
    swept: bool,
) -> PolicyFigures:
    knobs = tuple(sorted({knob for job in jobs for knob in job.knobs}))
    errors = [job.error for job in jobs if job.error is not None]
    if errors:
        return PolicyFigures(knobs=knobs, error=errors[0])
    by_setting: dict[str, list[JobFigures]] = {}
    for job in jobs:
        by_setting.setdefault(json.dumps(job.setting, sort_keys=True), []).append(job)
    per_trace = {key: _per_trace(each, oracle) for key, each in by_setting.items()}
    settings = {
        key: _setting(each[0].setting, each, per_trace[key]) for key, each in by_setting.items()
    }
    default, traces = settings["{}"], per_trace["{}"]
    costs = {name: t.cost_vs_oracle for name, t in traces.items() if t.cost_vs_oracle is not None}
    described = DefaultFigures(
        **default.model_dump(), ci95=confidence_interval(costs), traces=traces
    )
    if not swept:
        return PolicyFigures(knobs=knobs, default=described)
    return PolicyFigures(
        knobs=knobs,
        default=described,
        one_setting=_cheapest(settings.values(), target),
        hindsight={name: _hindsight(name, per_trace.values(), target) for name in traces},
        settings=tuple(settings.values()),
    )


def _per_trace(
    jobs: Sequence[JobFigures], oracle: Mapping[tuple[str, int], float]
) -> dict[str, TraceFigures]:
    traces: dict[str, list[JobFigures]] = {}
    for job in jobs:
        traces.setdefault(job.trace, []).append(job)
    return {
        name: TraceFigures(
            miss_rate=_rate(each),
            cost_vs_oracle=_ratio(
                sum(job.node_hours for job in each),
                sum(oracle[job.trace, job.seed] for job in each),
            ),
            blocks=sum(job.blocks for job in each),
        )
        for name, each in traces.items()
    }


def _setting(
    setting: dict[str, float], jobs: Sequence[JobFigures], traces: Mapping[str, TraceFigures]
) -> SettingFigures:
    rates = [each.miss_rate for each in traces.values() if each.miss_rate is not None]
    costs = [each.cost_vs_oracle for each in traces.values() if each.cost_vs_oracle is not None]
    return SettingFigures(
        setting=setting,
        miss_rate=_rate(jobs),
        worst_miss_rate=max(rates, default=None),
        cost_vs_oracle=fmean(costs) if costs else None,
    )


def _cheapest(settings: Iterable[SettingFigures], target: float) -> SettingFigures | None:
    """The cheapest setting that meets the target, all traces together."""
    costs = [
        (each.cost_vs_oracle, number, each)
        for number, each in enumerate(settings)
        if each.cost_vs_oracle and _meets(each, target)
    ]
    return min(costs)[2] if costs else None


def _hindsight(
    name: str, settings: Iterable[Mapping[str, TraceFigures]], target: float
) -> float | None:
    """The least cost on one trace of a setting that meets the target there."""
    on_it = [each[name] for each in settings]
    costs = [each.cost_vs_oracle for each in on_it if _meets(each, target)]
    return min((cost for cost in costs if cost is not None), default=None)


def _meets(figures: SettingFigures | TraceFigures, target: float) -> bool:
    return figures.miss_rate is not None and figures.miss_rate <= target


def _rate(jobs: Sequence[JobFigures]) -> float | None:
    return _ratio(sum(job.missed for job in jobs), sum(job.blocks for job in jobs))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _versus(
    own: DefaultFigures | None, first: DefaultFigures | None
) -> dict[str, tuple[float, float, float]] | None:
    """Mean difference and interval, trace by trace; None where either policy failed."""
    if own is None or first is None:
        return None
    blocks = {name: float(each.blocks) for name, each in own.traces.items()}
    alike = dict.fromkeys(blocks, 1.0)
    versus = {}
    for quantity, weights in (("cost_vs_oracle", alike), ("miss_rate", blocks)):
        pairs = {
            name: (getattr(own.traces[name], quantity), getattr(first.traces[name], quantity))
            for name in own.traces
        }
        differences = {name: a - b for name, (a, b) in pairs.items() if None not in (a, b)}
        bounds = confidence_interval(differences, weights)
        if bounds is not None:
            mean = fmean(differences.values(), [weights[name] for name in differences])
            versus[quantity] = (mean, *bounds)
    return versus

"""The figures of a comparison: of a job, a trace, a setting, a policy, and all of them."""

from __future__ import annotations

from simulators.figures import Figures


class JobFigures(Figures):
    """A policy at one setting on one load, over the scored steps; `error` where it failed."""

    policy: str
    setting: dict[str, float]
    trace: str
    seed: int
    knobs: tuple[str, ...] = ()
    blocks: int = 0
    missed: int = 0
    node_hours: float = 0.0
    error: str | None = None


class OracleJob(Figures):
    """The oracle on one load: nodes paid for, in hours."""

    trace: str
    seed: int
    node_hours: float


class TraceFigures(Figures):
    """A policy on a trace, all seeds together; None where nothing was played."""

    miss_rate: float | None
    cost_vs_oracle: float | None
    blocks: int = 0


class SettingFigures(Figures):
    """A setting on all traces: misses pooled, the worst trace, and the mean cost."""

    setting: dict[str, float]
    miss_rate: float | None
    worst_miss_rate: float | None
    cost_vs_oracle: float | None


class DefaultFigures(SettingFigures):
    """The setting that a policy ships with; `ci95` is of the cost, over traces."""

    ci95: tuple[float, float] | None
    traces: dict[str, TraceFigures]


class PolicyFigures(Figures):
    """Figures of a policy; the swept ones are None where no setting reaches the target."""

    knobs: tuple[str, ...]
    default: DefaultFigures | None = None
    one_setting: SettingFigures | None = None
    hindsight: dict[str, float | None] | None = None
    settings: tuple[SettingFigures, ...] = ()
    versus_first: dict[str, tuple[float, float, float]] | None = None
    error: str | None = None


class ComparisonReport(Figures):
    """All policies on all traces. Costs are relative to the delayed oracle's on each load.

    `versus_first` holds, for the cost and the miss rate, the mean difference from the first
    policy on the same loads and its 95 % interval. As in the figures of a policy, each trace
    counts alike in the cost, and by its blocks in the miss rate.
    """

    policies: dict[str, PolicyFigures]
    traces: tuple[str, ...]
    seeds: tuple[int, ...]
    target_miss_rate: float
    level: str
    swept: bool
    interval_s: float
    last_days: float | None

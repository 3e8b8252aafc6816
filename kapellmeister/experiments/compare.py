"""`kapellmeister compare`: several policies on several traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from controller.errors import ConfigurationError, NothingToTurnError, TraceError
from controller.load.trace import LoadTrace
from kapellmeister.experiments.job_executor import job_executor
from kapellmeister.experiments.options import CompareOptions
from kapellmeister.experiments.simulate import check_faults
from kapellmeister.machine.description import describe_machine
from kapellmeister.terminal.interruption import keeping
from kapellmeister.terminal.progress import Progress, unseen
from kapellmeister.terminal.words import figure
from simulators.comparison.comparison import compare as play
from simulators.comparison.figures import ComparisonReport, PolicyFigures
from simulators.comparison.manifest import write_manifest
from simulators.comparison.page import Page, check_plotly
from simulators.comparison.request import Comparison
from simulators.comparison.rows import check_arrow
from simulators.jobs.processes import Processes
from simulators.loads.generators import find_trace
from simulators.loads.load_path import Load, realise
from simulators.loads.splits import split
from simulators.simulation import Simulation, check_names


def compare(
    options: CompareOptions,
    rows: Path | None = None,
    say: Callable[[str], None] = print,
    progress: Progress = unseen,
) -> ComparisonReport:
    """Play several policies on several traces, and hold them against the oracle.

    Every interval's rows and a manifest are kept in the folder `rows`. `say` is told of each
    policy that has nothing to turn. Raises a KapellmeisterError for everything that the user
    can mend, Interruption with what is kept.
    """
    executor = job_executor(options.dask, Processes(options.jobs), options.jobs)
    comparison = comparison_of(options, rows, say)
    if rows is not None:
        write_manifest(rows, comparison, describe_machine().model_dump())
    what = f"{len(comparison.policies)} policies, {len(comparison.traces)} traces"
    with keeping(_finished_jobs(options.cache)), progress(what) as advance:
        return play(comparison, advance, executor)


def comparison_of(
    options: CompareOptions,
    rows: Path | None = None,
    say: Callable[[str], None] = print,
) -> Comparison:
    """The comparison that was asked for; every file is read before anything is simulated.

    `say` is told of each policy that has nothing to turn. Raises a KapellmeisterError.
    """
    found = find_traces(options.traces)
    if options.part is not None:
        found = tuple(split(trace, options.part) for trace in found)
    names = tuple(dict.fromkeys(filter(None, map(str.strip, options.policies.split(",")))))
    if not names:
        raise ConfigurationError("command line", "--policies", "names none", "name at least one")
    base = options.simulation(names[0], found[0])
    _check_policies(base, names, say)
    loads = [_load(base, each) for each in found]  # too short a trace says so now
    if options.scenario is not None:
        check_faults(base, loads, options.scenario)
    seeds = tuple(range(1, options.seeds + 1))
    return Comparison(names, found, base, seeds, options.sweep, options.cache, rows)


def _finished_jobs(cache: Path | None) -> str:
    """The remains of a comparison that is interrupted."""
    if cache is None:
        return "nothing is kept without --resume DIR"
    return f"finished jobs are kept: the same command with --resume {cache} goes on from there"


def _check_policies(base: Simulation, names: Sequence[str], say: Callable[[str], None]) -> None:
    """A policy with nothing to turn is worth a line, unless it is the same with all of them."""
    idle = []
    for name in names:
        try:
            check_names(replace(base, policy=name))
        except NothingToTurnError as nothing:
            idle.append(nothing)
    if len(idle) == len(names):
        raise idle[0]
    for each in idle:
        say(str(each))


def _load(base: Simulation, trace: LoadTrace) -> Load:
    """The load with all of its warm-up, whatever a policy needs of that."""
    peak_streams, last_days = base.peak_streams, base.last_days
    return realise(trace, base.step_s, base.seed, peak_streams=peak_streams, last_days=last_days)


def find_traces(text: str) -> tuple[LoadTrace, ...]:
    """All traces named, folders taken apart, each once. Raises TraceError where there is none."""
    traces: dict[str, LoadTrace] = {}
    for name in filter(None, map(str.strip, text.split(","))):
        folder = Path(name)
        files = sorted(folder.glob("*.csv")) if folder.is_dir() else [name]
        if not files:
            raise TraceError(folder, None, "holds no CSV file", "name another folder")
        for each in files:
            trace = find_trace(str(each))
            if traces.setdefault(trace.name, trace) != trace:
                why = f"another trace is called {trace.name} as well"
                raise TraceError(Path(str(each)), None, why, "give each a name of its own")
    if not traces:
        raise TraceError(Path(text), None, "names no trace", "name a file or a generator")
    return tuple(traces.values())


@contextmanager
def rows_folder(report: Path | None, raw: Path | None) -> Iterator[Path | None]:
    """Folder of the rows that were asked for, by themselves or for a page.

    Raises MissingExtraError where a package is missing: before hours of work, not after.
    """
    if report is not None:
        check_plotly()
    if report is not None or raw is not None:
        check_arrow()
    if raw is not None or report is None:
        yield raw
        return
    with TemporaryDirectory(prefix="kapellmeister-") as folder:
        yield Path(folder)


def write_page(
    figures: ComparisonReport, rows: Path, path: Path, progress: Progress = unseen
) -> None:
    """Write the page that shows the figures and the rows they come from."""
    with progress("drawing") as advance:
        Page(figures, rows, metadata.version("kapellmeister")).write(path, advance)


def print_report(report: ComparisonReport, console: Console) -> None:
    """Print a line for each policy, and how to read them."""
    table = Table(box=None, padding=(0, 1))
    heads = ["policy", "turned", "missed", "worst trace", "cost, x oracle's", "95 %"]
    heads += ["one setting", "in hindsight"] if report.swept else []
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < 2 else "right", overflow="fold")
    for name, figures in report.policies.items():
        table.add_row(*_row(name, figures, report.swept))
    console.print(table)
    for line in (*_failures(report), *_versus(report)):
        console.print(line, highlight=False, markup=False)
    console.print(
        f"{len(report.traces)} traces, {len(report.seeds)} loads of each; the oracle knows the "
        f"load and misses {report.target_miss_rate:.2%}.",
        style="dim",
    )


def _row(name: str, figures: PolicyFigures, swept: bool) -> list[str]:
    knobs, default = ", ".join(figures.knobs) or "nothing", figures.default
    if figures.error is not None or default is None:
        return [name, knobs, "failed"]
    low_high = default.ci95
    row = [
        name,
        knobs,
        figure(default.miss_rate, ".3%"),
        figure(default.worst_miss_rate, ".3%"),
        figure(default.cost_vs_oracle, ".2f"),
        "" if low_high is None else f"{low_high[0]:.2f} to {low_high[1]:.2f}",
    ]
    if not swept:
        return row
    one = figures.one_setting
    costs = list((figures.hindsight or {}).values())
    met = [cost for cost in costs if cost is not None]
    hindsight = "no trace" if not met else f"{sum(met) / len(met):.2f} ({len(met)}/{len(costs)})"
    named = (
        "none" if one is None else f"{figure(one.cost_vs_oracle, '.2f')} {_setting(one.setting)}"
    )
    return [*row, named, hindsight]


def _setting(setting: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in setting.items()) or "as shipped"


def _failures(report: ComparisonReport) -> list[str]:
    failed = report.policies.items()
    return [f"{name} failed: {each.error}" for name, each in failed if each.error is not None]


def _versus(report: ComparisonReport) -> list[str]:
    first = next(iter(report.policies))
    lines = []
    for name, figures in report.policies.items():
        found = (figures.versus_first or {}).get("cost_vs_oracle")
        if found is not None:
            mean, low, high = found
            lines.append(f"{name} against {first}: cost {mean:+.2f} ({low:+.2f} to {high:+.2f})")
    return lines

"""The run as it happens, in the terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from controller.tick import Tick
from kapellmeister.terminal.gpu_words import gpu_lines
from kapellmeister.terminal.words import ms, percent
from policies.diagnosis import Bottleneck
from policies.knobs import Knob, KnobState, KnobValue, ThreadClass
from policies.objective import Objective
from policies.observation import Missing, Observation, Reading, Stale, Value, fresh
from policies.proposal import Change, Verdict, Verification
from policies.words import scheduled

HISTORY = 60
DECISIONS_SHOWN = 5
ROWS_ABOVE_DECISIONS = 19
BARS = " ▁▂▃▄▅▆▇█"


class LiveView:
    """Draws each tick in place; a context manager that leaves the last picture behind.

    `knobs` tells what the plant has.
    """

    def __init__(
        self,
        console: Console,
        policy: str,
        objective: Objective,
        duration_s: float | None,
        knobs: Callable[[], Mapping[str, Knob]] = dict,
    ):
        self._live = Live(console=console, auto_refresh=False)
        self._policy = policy
        self._objective = objective
        self._duration_s = duration_s
        self._plant_knobs = knobs
        self._started_s: float | None = None
        self._load: deque[float | None] = deque(maxlen=HISTORY)
        self._missed: deque[float | None] = deque(maxlen=HISTORY)
        self._latency: deque[float | None] = deque(maxlen=HISTORY)
        self._changes: deque[tuple[float, Change]] = deque(maxlen=DECISIONS_SHOWN)
        self._verdicts: dict[str, Verification] = {}
        self._alarms: deque[str] = deque(maxlen=2)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, tick: Tick) -> None:
        """Take in a tick and redraw."""
        if self._started_s is None:
            self._started_s = tick.time_s - tick.observation.interval_s
        observed = tick.observation
        self._load.append(fresh(observed.load))
        self._missed.append(fresh(observed.miss_rate))
        self._latency.append(fresh(observed.latency.p99_ms))
        self._changes += [(tick.time_s - self._started_s, change) for change in tick.changes]
        self._verdicts |= {each.change_id: each for each in tick.verifications}
        self._alarms += tick.alarms
        self._live.update(self._draw(tick), refresh=True)

    def _draw(self, tick: Tick) -> RenderableType:
        elapsed_s = tick.time_s - (self._started_s or tick.time_s)
        title = f"Kapellmeister: {self._policy}" + (" (shadow)" if tick.shadow else "")
        gpu = list(gpu_lines(tick.observation.readings))
        parts: list[RenderableType] = [
            self._sound(tick.observation),
            *_gpu(gpu),
            self._diagnosis(tick),
            Text(),
            _knobs(tick.states, self._plant_knobs()),
            *(Text(f"{knob}: {why}", "yellow") for knob, why in tick.unavailable.items()),
            Text(),
            self._decisions(tick.shadow, ROWS_ABOVE_DECISIONS + len(gpu)),
        ]
        parts += [Text(f"! {alarm}", style="bold red") for alarm in self._alarms]
        of = "" if self._duration_s is None else f" of {self._duration_s:.0f}"
        subtitle = f"{elapsed_s:.0f}{of} s   tick {tick.duration_ms:.1f} ms"
        return Panel(Group(*parts), title=title, subtitle=subtitle, border_style="cyan")

    def _sound(self, observed: Observation) -> Table:
        target = self._objective.target_miss_rate
        deadline_ms = observed.deadline_ms or self._objective.deadline_ms
        table = Table.grid(padding=(0, 2))
        load_top = max((load for load in self._load if load is not None), default=1.0)
        table.add_row(
            "load",
            _words(observed.load, "{:.0f} " + observed.load_unit),
            sparkline(self._load, max(load_top, 1.0), "cyan"),
        )
        table.add_row(
            "missed",
            _missed(observed, target),
            sparkline(self._missed, 0.05, "red"),
        )
        table.add_row(
            "latency",
            f"p50 {_ms(observed.latency.p50_ms)}  p99 "
            f"{_ms(observed.latency.p99_ms)}  of {deadline_ms:.2f} ms",
            sparkline(self._latency, deadline_ms, "yellow"),
        )
        return table

    def _diagnosis(self, tick: Tick) -> Text:
        found = tick.diagnosis
        calm = found.bottleneck is Bottleneck.NONE
        text = Text(f"\n{found.bottleneck}: ", "bold green" if calm else "bold yellow")
        text.append(found.summary, "default")
        return text

    def _decisions(self, shadow: bool, rows_above: int) -> RenderableType:
        """The newest decisions, as many as the terminal has room for."""
        if not self._changes:
            return Text("no decision yet", "dim")
        room = self._live.console.height - rows_above
        roomy = room >= 3 * DECISIONS_SHOWN
        shown = DECISIONS_SHOWN if roomy else max(1, min(room, DECISIONS_SHOWN))
        table = Table(box=None, padding=(0, 2), show_header=False, pad_edge=False, expand=True)
        for _ in ("when", "knob"):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=not roomy, overflow="fold" if roomy else "ellipsis", ratio=1)
        table.add_column(no_wrap=True)
        for at_s, change in tuple(self._changes)[-shown:]:
            verdict = self._verdicts.get(change.id)
            table.add_row(
                f"{at_s:5.0f} s",
                change.action.knob,
                f"{change.action.reason}",
                _verdict(verdict, shadow),
            )
        return table


def _gpu(lines: list[tuple[str, str]]) -> Iterator[Table]:
    """The lines about the GPU, where the plant tells of one."""
    if lines:
        table = Table.grid(padding=(0, 2))
        for title, text in lines:
            table.add_row(title, text)
        yield table


def _knobs(states: Mapping[str, KnobState], knobs: Mapping[str, Knob]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for heading in ("knob", "planned", "requested", "in force"):
        table.add_column(heading, no_wrap=True)
    for knob, state in states.items():
        values = (state.planned, state.requested, state.observed)
        parts = [scheduled(value, knobs.get(knob)) for value in values]
        for name in dict.fromkeys(name for known in parts for name in known):
            table.add_row(name, *(_cell(known.get(name)) for known in parts))
        if not any(parts):
            table.add_row(knob, *map(_cell, values))
    return table


def _cell(value: KnobValue | ThreadClass | None) -> str:
    return "-" if value is None else str(value)


def _verdict(verified: Verification | None, shadow: bool) -> Text:
    if shadow:
        return Text("in shadow, not applied", "dim")
    if verified is None:
        return Text("awaiting its effect", "dim")
    good = verified.verdict is Verdict.CONFIRMED
    return Text(verified.verdict, "green" if good else "yellow")


def _missed(observed: Observation, target: float) -> Text:
    late = fresh(observed.miss_rate)
    if observed.no_deadline:
        return Text(observed.no_deadline, "dim")
    return Text(percent(late), "green" if (late or 0.0) <= target else "red")


def _words(reading: Reading, form: str) -> str:
    match reading:
        case Value(value):
            return form.format(value)
        case Stale(value, age_s):
            return form.format(value) + f" ({age_s:.0f} s ago)"
        case Missing(reason):
            return reason
        case _:
            return "invalid"


def _ms(reading: Reading) -> str:
    return ms(fresh(reading))


def sparkline(values: deque[float | None], top: float, style: str) -> Text:
    """A bar for each value up to `top`; a dot where none was read."""
    text = Text()
    for value in values:
        height = 0 if value is None else min(len(BARS) - 1, round(value / top * (len(BARS) - 1)))
        if value:
            height = max(1, height)
        text.append("·" if value is None else BARS[height], style)
    return text

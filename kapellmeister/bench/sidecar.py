"""Errors of a sound server that others play on, with a sidecar in shadow and acting."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from pydantic import computed_field
from rich.console import Console

from controller.plants.audio_server.period_knob import PERIOD
from controller.plants.threads.knob import KNOB as THREAD_KNOB
from kapellmeister.bench.goal import at_most, judged
from kapellmeister.bench.servers.attaching import attach
from kapellmeister.bench.servers.jack import FOUND_FRAMES, jack_rig
from kapellmeister.bench.servers.pipewire import pipewire_rig
from kapellmeister.bench.servers.rig import OpenRig
from kapellmeister.bench.servers.windows import Attached, Window
from kapellmeister.bench.spread import Spread
from kapellmeister.bench.watching import Watching, watch_many
from kapellmeister.machine.description import Machine, describe_machine
from kapellmeister.terminal.tables import goal_table
from kapellmeister.terminal.words import figure, percent
from policies.diagnosis import Bottleneck
from policies.proposal import Verdict
from simulators.figures import Figures

ACT, SHADOW = "--act", "--shadow"
LEFT = 0.05
"""Share that may be left of the errors in shadow: misses that came down so far have ended."""
WATCHING_S = 30.0
RAISED = 4.0
"""Windows that are given to a period, which is raised step by step."""
FEWEST_ERRORS = 60
"""Errors in shadow below which a twentieth of them is a matter of chance."""
SERVERS: Mapping[str, OpenRig] = MappingProxyType({"jack": jack_rig, "pipewire": pipewire_rig})
Rows = Iterator[tuple[str, str, str]]


class HeldUp(Figures):
    """A client of JACK that waits for another thread of its interpreter: no priority cures that."""

    without: Window
    attached: Attached


class SidecarReport(Figures):
    """Interleaved windows in shadow and acting, while hogs disturb a client.

    `ratio` is the rate of errors acting, all windows together, against that in shadow; None
    where there was none in shadow. `held_up` and `watching` are measured on JACK alone. `goals`
    says of each figure that has one whether it was met.
    """

    server: Literal["jack", "pipewire"]
    machine: Machine
    hogs: int
    shadow: list[Attached]
    acting: list[Attached]
    allowed_s: float
    errors_per_s_shadow: Spread
    errors_per_s_acting: Spread
    ratio: float | None
    held_up: HeldUp | None = None
    watching: Watching | None = None

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def goals(self) -> dict[str, str]:
        """The goal of each figure, and whether it was met."""
        return {figure: goal for figure, _, goal in (*_rows(self), *_held_up_rows(self)) if goal}


def bench_sidecar(
    server: Literal["jack", "pipewire"],
    pairs: int,
    seconds: float,
    hogs: int,
    advance: Callable[[float], None],
) -> SidecarReport:
    """Measure so many pairs of windows of so many seconds; `advance` is told the part done.

    Raises PlantError where the server is not installed or does not start.
    """
    shadow: list[Attached] = []
    acting: list[Attached] = []
    with SERVERS[server](hogs) as rig:
        for number in range(pairs):
            shadow.append(attach(rig, SHADOW, rig.onset_s, seconds))
            acting.append(attach(rig, ACT, rig.onset_s, seconds))
            advance((number + 1) / (pairs + 4))
    report = SidecarReport(
        server=server,
        machine=describe_machine(),
        hogs=hogs,
        shadow=shadow,
        acting=acting,
        allowed_s=rig.onset_s,
        errors_per_s_shadow=_rates(shadow),
        errors_per_s_acting=_rates(acting),
        ratio=_rate(acting) / _rate(shadow) if _rate(shadow) else None,
    )
    if server == "jack":
        beside = {"held_up": _held_up(hogs, seconds), "watching": watch_many(WATCHING_S)}
        report = report.model_copy(update=beside)
    advance(1.0)
    return report


def _held_up(hogs: int, seconds: float) -> HeldUp:
    with jack_rig(hogs, "--busy") as rig:
        without = rig.window(seconds)
        return HeldUp(without=without, attached=attach(rig, ACT, RAISED * seconds, seconds))


def _rates(attached: Sequence[Attached]) -> Spread:
    return Spread.of([each.window.errors_per_s for each in attached])


def _rate(attached: Sequence[Attached]) -> float:
    windows = [each.window for each in attached]
    return sum(each.errors for each in windows) / sum(each.seconds for each in windows)


def print_report(report: SidecarReport, console: Console) -> None:
    """Figures beside the goals."""
    console.print(goal_table("figure", _rows(report)))
    console.print()
    if report.held_up is not None:
        held_up = "a client held up by its own interpreter"
        console.print(goal_table(held_up, _held_up_rows(report)))
    console.print(f"\n{report.machine}, {report.hogs} hogs")


def _rows(report: SidecarReport) -> Rows:
    acting = report.errors_per_s_acting
    yield "errors a second, in shadow", report.errors_per_s_shadow.words(".2f"), ""
    yield "errors a second, acting", acting.words(".2f"), f"median {at_most(acting.median, 0.5)}"
    ratio = "none in shadow" if report.ratio is None else f"{report.ratio:.3f}"
    enough = sum(each.window.errors for each in report.shadow) >= FEWEST_ERRORS
    yield "acting / in shadow", ratio, at_most(report.ratio if enough else None, LEFT)
    first_s = [each.first_action_s for each in report.acting]
    slowest_s = max(
        (s for each in report.acting if (s := _waited_s(each)) is not None), default=None
    )
    yield (
        "first action, s",
        ", ".join(figure(each, ".2f", "none") for each in first_s),
        at_most(slowest_s, report.allowed_s),
    )
    onset = Spread.of([each.onset.errors_per_s for each in report.acting])
    yield "errors a second before and just after", onset.words(".2f"), ""
    turns = [turn for each in report.acting for turn in each.turns]
    counted = "\n".join(f"{turn}, {n} times" for turn, n in Counter(turns).items())
    yield "turned", counted or "nothing", judged("no period", not any(map(_is_period, turns)))
    verdicts = Counter(str(each or "not judged") for a in report.acting for each in a.verdicts)
    said = ", ".join(f"{verdict} {n} times" for verdict, n in verdicts.items())
    yield "verdicts", said or "none", judged("confirmed where misses ended", _confirmed(report))
    costliest = max(each.cpu_share for each in (*report.shadow, *report.acting))
    yield "processor share of control", percent(costliest), at_most(100.0 * costliest, 2.0, " %")
    if report.watching is not None:
        watching = report.watching.cpu_share
        what = f"watching {report.watching.threads} threads"
        yield what, f"{percent(watching)} of a processor", at_most(100.0 * watching, 2.0, " %")


def _held_up_rows(report: SidecarReport) -> Rows:
    if report.held_up is None:
        return
    found = report.held_up.attached
    rate = found.window.errors_per_s
    yield "xruns a second, without", f"{report.held_up.without.errors_per_s:.2f}", ""
    yield "xruns a second, in the end", f"{rate:.2f}", at_most(rate, 0.5)
    diagnosed = ", ".join(f"{name} {count}" for name, count in found.bottlenecks.items())
    bad = {name: n for name, n in found.bottlenecks.items() if name != Bottleneck.NONE}
    most = max(bad, key=lambda name: bad[name], default=None)
    is_gil = None if most is None else most == Bottleneck.GIL
    yield "diagnosed, in ticks", diagnosed, judged("most of the bad ones gil", is_gil)
    raised = sum(turn.startswith(THREAD_KNOB) for turn in found.turns)
    yield "its turns", "\n".join(found.turns), f"threads {at_most(raised, 1, ' times')}"
    grew = found.period_frames > FOUND_FRAMES
    yield "period in the end", f"{found.period_frames} frames", judged("raised", grew)


def _confirmed(report: SidecarReport) -> bool | None:
    """Whether each change was confirmed in every run in which misses ended; None without any."""
    limit = LEFT * _rate(report.shadow)
    ended = [each for each in report.acting if each.turns and each.window.errors_per_s <= limit]
    verdicts = [verdict for each in ended for verdict in each.verdicts]
    return all(verdict == Verdict.CONFIRMED for verdict in verdicts) if verdicts else None


def _waited_s(attached: Attached) -> float | None:
    """How long the first action was waited for, for ever where none came that would have helped."""
    never = math.inf if Bottleneck.PREEMPTION in attached.bottlenecks else None
    return never if attached.first_action_s is None else attached.first_action_s


def _is_period(turn: str) -> bool:
    return turn.startswith(PERIOD)

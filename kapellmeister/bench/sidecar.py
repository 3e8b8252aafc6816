"""What it brings to attach to a JACK server that others play on, and act."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from controller.errors import JournalError, PlantError
from controller.journal_reader import JournalReader
from controller.plants.audio_server import PERIOD
from controller.plants.thread_knob import KNOB as THREAD_KNOB
from controller.prctl import dying_with_parent
from controller.state_directory import StateDirectory
from controller.tick import Tick
from kapellmeister.bench.goal import at_most, judged
from kapellmeister.bench.jack_rig import FOUND_FRAMES, PATIENCE_S, JackRig, jack_rig
from kapellmeister.bench.loop import Spread
from kapellmeister.bench.machine import Machine, describe_machine
from kapellmeister.bench.watching import Watching, watch_many
from kapellmeister.bench.windows import Attached, Figures, Window
from kapellmeister.explain import describe_turn
from kapellmeister.report import RunReport, percent
from policies.diagnosis import Bottleneck
from policies.observation import fresh

ONSET_S = 2.0
"""What is allowed for the first action, and left out of the window that follows."""
TURN_S = 0.05
WATCHING_S = 30.0
RAISED = 4.0
"""A period is raised step by step: so many windows are given to that."""
FEWEST_XRUNS = 30
"""With fewer without the sidecar, a tenth of them is a matter of chance."""
Rows = Iterator[tuple[str, str, str]]


class SidecarReport(Figures):
    """Interleaved windows without and with the sidecar, while hogs disturb a client.

    `ratio` is the rate of xruns with it, all windows together, against that without; None
    where there was none without. `held_up` is a client that waits for another thread of its
    own interpreter, which no priority cures.
    """

    machine: Machine
    hogs: int
    without: list[Window]
    attached: list[Attached]
    xruns_per_s_without: Spread
    xruns_per_s_with: Spread
    ratio: float | None
    held_up_without: Window
    held_up: Attached
    watching: Watching


def bench_sidecar(
    pairs: int, seconds: float, hogs: int, advance: Callable[[float], None]
) -> SidecarReport:
    """Measure so many pairs of windows of so many seconds; `advance` is told the part done.

    Raises PlantError where JACK is not installed or does not start.
    """
    without: list[Window] = []
    attached: list[Attached] = []
    with jack_rig(hogs) as rig:
        for number in range(pairs):
            without.append(rig.window(seconds))
            attached.append(_attached(rig, ONSET_S, seconds))
            advance((number + 1) / (pairs + 4))
    with jack_rig(hogs, "--busy") as rig:
        held_up_without = rig.window(seconds)
        held_up = _attached(rig, RAISED * seconds, seconds)
    watching = watch_many(WATCHING_S)
    advance(1.0)
    acting = [each.window for each in attached]
    return SidecarReport(
        machine=describe_machine(),
        hogs=hogs,
        without=without,
        attached=attached,
        xruns_per_s_without=Spread.of([each.xruns_per_s for each in without]),
        xruns_per_s_with=Spread.of([each.xruns_per_s for each in acting]),
        ratio=_rate(acting) / _rate(without) if _rate(without) else None,
        held_up_without=held_up_without,
        held_up=held_up,
        watching=watching,
    )


def _rate(windows: Sequence[Window]) -> float:
    return sum(each.xruns for each in windows) / sum(each.seconds for each in windows)


def _attached(rig: JackRig, onset_s: float, seconds: float) -> Attached:
    """Attach a sidecar that may turn every knob, and let it go after the window."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures.json"
        run = ("run", "--plant", "jack", "--act", "--no-live", "--json", str(figures))
        process = subprocess.Popen(
            dying_with_parent(sys.executable, "-m", "kapellmeister", *run, "--state-dir", folder),
            env=rig.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _await_first_tick(process, StateDirectory(Path(folder)).journal_path)
            onset, window = rig.window(onset_s), rig.window(seconds)
            period_frames = int(rig.line()["period_frames"])
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=PATIENCE_S)[1]
        if process.returncode != 0:
            raise PlantError("jack", said.strip(), "run `kapellmeister doctor`")
        report = RunReport.model_validate_json(figures.read_text(encoding="utf-8"))
        with JournalReader(StateDirectory(Path(folder)).journal_path) as reader:
            ticks = list(reader.ticks(reader.run().number))
    return Attached(
        onset=onset,
        window=window,
        first_action_s=_first_action_s(ticks),
        turns=tuple(
            f"{change.action.knob}: {describe_turn(change.previous, change.action.value)}"
            for tick in ticks
            for change in tick.changes
        ),
        bottlenecks=dict(Counter(tick.diagnosis.bottleneck.value for tick in ticks)),
        period_frames=period_frames,
        cpu_share=report.overhead.cpu_share,
    )


def _await_first_tick(process: subprocess.Popen[str], journal: Path) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and process.poll() is None:
        with suppress(JournalError), JournalReader(journal) as reader:  # not yet begun
            if any(reader.extent(run.number) for run in reader.runs()):
                return
        time.sleep(TURN_S)
    raise PlantError("jack", "the sidecar did not come to a tick", "run `kapellmeister doctor`")


def _first_action_s(ticks: Sequence[Tick]) -> float | None:
    """From the beginning of the first interval with a miss to the first change."""
    bad = next((each for each in ticks if fresh(each.observation.miss_rate)), None)
    acted = next((each for each in ticks if each.changes), None)
    if bad is None or acted is None:
        return None
    return acted.time_s - (bad.time_s - bad.observation.interval_s)


def print_report(report: SidecarReport, console: Console) -> None:
    """Figures beside the goals."""
    table = Table("figure", "measured", "goal", box=None)
    for row in _rows(report):
        table.add_row(*row)
    console.print(table)
    console.print()
    held_up = Table("a client held up by its own interpreter", "measured", "goal", box=None)
    for row in _held_up_rows(report):
        held_up.add_row(*row)
    console.print(held_up)
    console.print(f"\n{report.machine}, {report.hogs} hogs")


def _rows(report: SidecarReport) -> Rows:
    attached, acting = report.attached, report.xruns_per_s_with
    yield "xruns a second, without", _spread(report.xruns_per_s_without), ""
    yield "xruns a second, with", _spread(acting), f"median {at_most(acting.median, 0.5)}"
    ratio = "none without" if report.ratio is None else f"{report.ratio:.3f}"
    enough = sum(each.xruns for each in report.without) >= FEWEST_XRUNS
    yield "with / without", ratio, at_most(report.ratio if enough else None, 0.1)
    first_s = [each.first_action_s for each in attached]
    slowest_s = max((s for each in attached if (s := _waited_s(each)) is not None), default=None)
    yield "first action, s", ", ".join(map(_seconds, first_s)), at_most(slowest_s, 2.0)
    onset = Spread.of([each.onset.xruns_per_s for each in attached])
    yield "xruns a second before and just after", _spread(onset), ""
    turns = Counter(turn for each in attached for turn in each.turns)
    turned = "\n".join(f"{turn}, {n} times" for turn, n in turns.items())
    yield "turned", turned or "nothing", judged("no period", not any(map(_is_period, turns)))
    costliest = max(each.cpu_share for each in attached)
    yield "processor share of control", percent(costliest), at_most(100.0 * costliest, 2.0, " %")
    watching = report.watching.cpu_share
    what = f"watching {report.watching.threads} threads"
    yield what, f"{percent(watching)} of a processor", at_most(100.0 * watching, 2.0, " %")


def _held_up_rows(report: SidecarReport) -> Rows:
    found, rate = report.held_up, report.held_up.window.xruns_per_s
    yield "xruns a second, without", f"{report.held_up_without.xruns_per_s:.2f}", ""
    yield "xruns a second, in the end", f"{rate:.2f}", at_most(rate, 0.5)
    diagnosed = ", ".join(f"{name} {count}" for name, count in found.bottlenecks.items())
    bad = {name: n for name, n in found.bottlenecks.items() if name != Bottleneck.NONE}
    most = max(bad, key=lambda name: bad[name], default=None)
    is_gil = None if most is None else most == Bottleneck.GIL
    yield "diagnosed, in ticks", diagnosed, judged("most of the bad ones gil", is_gil)
    raised = sum(turn.startswith(THREAD_KNOB) for turn in found.turns)
    yield "turned", "\n".join(found.turns), f"threads {at_most(raised, 1, ' times')}"
    grew = found.period_frames > FOUND_FRAMES
    yield "period in the end", f"{found.period_frames} frames", judged("raised", grew)


def _waited_s(attached: Attached) -> float | None:
    """How long the first action was waited for, for ever where none came that would have helped."""
    never = math.inf if Bottleneck.PREEMPTION in attached.bottlenecks else None
    return never if attached.first_action_s is None else attached.first_action_s


def _is_period(turn: str) -> bool:
    return turn.startswith(PERIOD)


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.lowest:.2f} to {spread.highest:.2f})"


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"

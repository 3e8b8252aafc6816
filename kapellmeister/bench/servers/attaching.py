"""A sidecar attached to a server for a while, and what came of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.errors import JournalError, PlantError
from controller.journal.reader import JournalReader
from controller.journal.state_directory import StateDirectory
from controller.linux.prctl import dying_with_parent
from controller.tick import Tick
from kapellmeister.bench.servers.rig import PATIENCE_S, Rig
from kapellmeister.bench.servers.windows import Attached
from kapellmeister.explaining.explain import describe_turn
from kapellmeister.running.report import RunReport
from policies.observation import fresh
from policies.proposal import Change

REMEDY = "run `kapellmeister doctor`"
POLL_S = 0.05
JUDGED_S, LOOK_S = 12.0, 0.5
"""Seconds after the window in which what was changed in it is judged, and from look to look."""


def attach(rig: Rig, mode: str, onset_s: float, seconds: float) -> Attached:
    """Attach a sidecar with `--act` or `--shadow`, and let it go after the window."""
    with tempfile.TemporaryDirectory() as folder:
        figures, journal = Path(folder) / "figures.json", StateDirectory(Path(folder)).journal_path
        options = (mode, "--no-live", "--json", str(figures), "--state-dir", folder)
        with _running(rig, options) as process:
            _await_first_tick(rig.plant, process, journal)
            onset, window = rig.window(onset_s), rig.window(seconds)
            period_frames = int(rig.line()["period_frames"])
            _await_verdicts(journal)
        report = RunReport.model_validate_json(figures.read_text(encoding="utf-8"))
        with JournalReader(journal) as reader:
            ticks = list(reader.ticks(reader.run().number))
    changes = [change for tick in ticks if not tick.shadow for change in tick.changes]
    return Attached(
        onset=onset,
        window=window,
        first_action_s=_first_action_s(ticks) if changes else None,
        turns=tuple(map(_turn, changes)),
        verdicts=_verdicts(changes, ticks),
        bottlenecks=dict(Counter(tick.diagnosis.bottleneck.value for tick in ticks)),
        period_frames=period_frames,
        cpu_share=report.overhead.cpu_share,
    )


@contextmanager
def _running(rig: Rig, options: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """The command, which must have ended well by the end of the block."""
    run = (sys.executable, "-m", "kapellmeister", "run", "--plant", rig.plant, *options)
    process = subprocess.Popen(
        dying_with_parent(*run),
        env=rig.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE_S)[1]
    if process.returncode != 0:
        raise PlantError(rig.plant, said.strip(), REMEDY)


def _await_first_tick(plant: str, process: subprocess.Popen[str], journal: Path) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and process.poll() is None:
        with suppress(JournalError), JournalReader(journal) as reader:  # not yet begun
            if any(reader.extent(run.number) for run in reader.runs()):
                return
        time.sleep(POLL_S)
    raise PlantError(plant, "the sidecar did not come to a tick", REMEDY)


def _await_verdicts(journal: Path) -> None:
    """Leave changes of the last seconds the time in which they are judged."""
    until_s = time.monotonic() + JUDGED_S
    while time.monotonic() < until_s:
        with JournalReader(journal) as reader:
            ticks = list(reader.ticks(reader.run().number))
        changes = [change for tick in ticks if not tick.shadow for change in tick.changes]
        if None not in _verdicts(changes, ticks):
            return
        time.sleep(LOOK_S)


def _first_action_s(ticks: Sequence[Tick]) -> float | None:
    """Time from the beginning of the first interval with a miss to the first change, seconds."""
    bad = next((each for each in ticks if fresh(each.observation.miss_rate)), None)
    acted = next((each for each in ticks if each.changes), None)
    if bad is None or acted is None:
        return None
    seen = bad.observation
    began_s = seen.counted_s[0] if seen.counted_s else bad.time_s - seen.interval_s
    return acted.time_s - began_s


def _turn(change: Change) -> str:
    return f"{change.action.knob}: {describe_turn(change.previous, change.action.value)}"


def _verdicts(changes: Sequence[Change], ticks: Sequence[Tick]) -> tuple[str | None, ...]:
    judged = {each.change_id: each.verdict.value for tick in ticks for each in tick.verifications}
    return tuple(judged.get(change.id) for change in changes)

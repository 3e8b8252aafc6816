"""Programs of others on a JACK server, with an export in the middle of `kapellmeister run`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jack_server import JackServer, serving
from live_run import EAGER, Run, awaits, moved, realtime

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

CSOUND = """<CsoundSynthesizer>
<CsInstruments>
sr = 48000
ksmps = 64
nchnls = 2
0dbfs = 1
instr 1
  asine oscili 0.1, 440
  outs asine, asine
endin
</CsInstruments>
<CsScore>
i 1 0 3600
</CsScore>
</CsoundSynthesizer>
"""
PURE_DATA = """#N canvas 0 0 450 300 10;
#X obj 50 50 osc~ 440;
#X obj 50 100 *~ 0.1;
#X obj 50 150 dac~;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 1 0 2 1;
"""
SOUNDFONTS = Path("/usr/share/sounds")


@dataclass(frozen=True, slots=True)
class Program:
    """A program that plays on JACK, by its command line and its name there."""

    command: tuple[str, ...]
    client: str
    orders: str = ""


def csound(directory: Path) -> Program:
    score = directory / "tone.csd"
    score.write_text(CSOUND)
    options = ("-d", "-m0", "-+rtaudio=jack", "-odac", "-b256", "-B512")
    return Program(("csound", *options, str(score)), "csound6")


def pure_data(directory: Path) -> Program:
    patch = directory / "tone.pd"
    patch.write_text(PURE_DATA)
    options = ("-nogui", "-nomidi", "-jack", "-noadc", "-outchannels", "2", "-send", "pd dsp 1")
    return Program(("pd", *options, str(patch)), "pure_data")


def fluidsynth(directory: Path) -> Program:
    fonts = sorted(SOUNDFONTS.glob("sf2/*.sf2"), key=lambda each: each.stat().st_size)
    font = str(fonts[0]) if fonts else pytest.skip("no soundfont is installed")
    command = ("fluidsynth", "-a", "jack", "-m", "none", "-j", font)
    return Program(command, "fluidsynth", "noteon 0 60 100\n")


@pytest.fixture
def server() -> Iterator[JackServer]:
    with serving() as started:
        yield started


@pytest.mark.parametrize("made", [csound, pure_data, fluidsynth])
def test_a_program_is_raised_again_after_somebody_exports(
    server: JackServer, tmp_path: Path, made: Callable[[Path], Program]
) -> None:
    program = made(tmp_path)
    if shutil.which(program.command[0]) is None:
        pytest.skip(f"{program.command[0]} is not installed")
    exporter, playing = server.client("exporter"), start(server, program)
    awaits(lambda: program.client in exporter.does("clients"), 20.0, "it does not play")
    found = server.schedules()
    with Run(server, tmp_path, "--act", "thread_classes", "--policy", EAGER) as run:
        awaits(lambda: realtime(playing.pid), 20.0, "it was not raised")
        run.awaits_more_ticks(2)
        raised = realtime(playing.pid)
        exporter.does("freewheel 1")
        run.awaits_more_ticks(4)
        exporter.does("freewheel 0")
        awaits(lambda: raised <= realtime(playing.pid), 8.0, "it was not raised again")
        run.awaits_more_ticks(2)
        assert raised <= realtime(playing.pid)
    run.check_freewheel_was_left_alone(48_000 / 256)
    assert moved(found, server.schedules()) == {}
    cycles = sum(map(switches, raised))
    awaits(lambda: sum(map(switches, raised)) > cycles + 100, 5.0, "it does not play any more")
    assert program.client in exporter.does("clients")


def start(server: JackServer, program: Program) -> subprocess.Popen[str]:
    playing = server.runs(*program.command)
    assert playing.stdin is not None
    playing.stdin.write(program.orders)
    playing.stdin.flush()
    return playing


def switches(thread: int) -> int:
    """How often a thread has gone to sleep by itself, as one does that waits for a cycle."""
    status = Path(f"/proc/{thread}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

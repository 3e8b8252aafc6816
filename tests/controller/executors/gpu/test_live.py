"""The whole path on an emulated device, as real processes: a surge, a kill, a full arena."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_pipeline import Running

from controller.executors.vram.config import VRAMConfig

pytestmark = pytest.mark.live
MIB = 1 << 20


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def starter(**changes: object) -> Running:
        given = {"executor": "emulated", "knobs": {}, "duration_s": 30.0, **changes}
        given = {"vram": VRAMConfig(total_bytes=64 * MIB), **given}
        started.append(Running(tmp_path, **given))
        return started[-1]

    yield starter
    for running in started:
        running.end()


def figure(reply: dict[str, Any], name: str) -> float | None:
    return reply["readings"].get(f"gpu.{name}", {}).get("value")


def plays_on_the_device(streams: int) -> Callable[[dict[str, Any]], bool]:
    return lambda reply: figure(reply, "streams") == streams and reply["blocks"]["on_time"] > 0


def named(prefix: str, reply: dict[str, Any]) -> list[int]:
    pids = reply["processes"]["audio"]
    names = {pid: Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() for pid in pids}
    return [pid for pid, name in names.items() if name.startswith(prefix)]


def test_streams_play_on_the_device_and_every_knob_is_live(play: Callable[..., Running]) -> None:
    running = play(streams=20)
    running.wait_for(plays_on_the_device(20))
    for knob, value in (("batch_size", 8), ("vram_block_bytes", 65_536)):
        assert running.ask("set", knob=knob, value=value) == {}
        running.wait_for(lambda reply, knob=knob, value=value: reply["settings"][knob] == value)
    running.wait_for(plays_on_the_device(20))
    summary = running.ask("summary")
    assert summary["alarms"] == []


def test_a_surge_of_streams_finds_its_room(play: Callable[..., Running], tmp_path: Path) -> None:
    trace = tmp_path / "surge.csv"
    trace.write_text("time_s,streams\n0,4\n4,96\n8,96\n10,8\n12,8\n")
    running = play(streams=None, peak_streams=96, trace=trace, duration_s=12.0)
    running.wait_for(plays_on_the_device(96), patience_s=15.0)
    settled = running.wait_for(plays_on_the_device(8), patience_s=15.0)
    assert settled["load"] == 8


def test_streams_of_a_killed_device_go_on_at_the_processors_and_come_back(
    play: Callable[..., Running],
) -> None:
    running = play(streams=12)
    observed = running.wait_for(plays_on_the_device(12))
    (pid,) = named("km-gpu", observed)
    os.kill(pid, signal.SIGKILL)
    running.wait_for(lambda reply: figure(reply, "streams_on_cpu") == 12)
    running.wait_for(lambda reply: reply["blocks"]["on_time"] > 0 and not reply["blocks"]["lost"])
    back = running.wait_for(plays_on_the_device(12))
    assert len(named("km-gpu", back)) == 1
    assert running.ask("summary")["deaths"] == ["km-gpu-1"]


def test_a_device_that_hangs_is_ended_and_its_streams_go_on_at_the_processors(
    play: Callable[..., Running],
) -> None:
    running = play(streams=6)
    (pid,) = named("km-gpu", running.wait_for(plays_on_the_device(6)))
    os.kill(pid, signal.SIGSTOP)
    running.wait_for(lambda reply: figure(reply, "streams_on_cpu") == 6, patience_s=15.0)
    running.wait_for(plays_on_the_device(6))
    assert running.ask("summary")["deaths"] == ["km-gpu-1"]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_with_four_blocks_of_buffer_a_lost_device_loses_nothing(
    play: Callable[..., Running], sign: signal.Signals
) -> None:
    running = play(streams=12, buffer_blocks=4, analysis_share=None, visualisation_share=None)
    observed = running.wait_for(plays_on_the_device(12))
    (pid,) = named("km-gpu", observed)
    running.real_time()
    os.kill(pid, sign)
    running.wait_for(lambda reply: figure(reply, "streams_on_cpu") == 12)
    running.wait_for(plays_on_the_device(12))
    blocks = running.ask("summary")["blocks"]
    assert (blocks["lost"], blocks["concealed"]) == (0, 0)


def test_what_a_full_arena_has_no_room_for_plays_on_the_processors(
    play: Callable[..., Running],
) -> None:
    running = play(streams=40, workload="spectrogram", vram=VRAMConfig(total_bytes=6 * MIB))
    full = running.wait_for(
        lambda reply: (figure(reply, "streams_on_cpu") or 0) > 0 and reply["blocks"]["on_time"] > 0
    )
    assert 10 <= figure(full, "streams") < 40
    assert figure(full, "streams") + figure(full, "streams_on_cpu") == 40
    running.wait_for(lambda reply: reply["blocks"]["on_time"] > 0 and not reply["blocks"]["lost"])


def test_the_device_is_tried_again_with_growing_pauses(play: Callable[..., Running]) -> None:
    running = play(streams=4)
    pauses_s = []
    for _ in range(2):
        (pid,) = named("km-gpu", running.wait_for(plays_on_the_device(4)))
        os.kill(pid, signal.SIGKILL)
        killed_s = time.monotonic()
        running.wait_for(lambda reply, pid=pid: [] != named("km-gpu", reply) != [pid])
        pauses_s.append(time.monotonic() - killed_s)
    assert 0.9 < pauses_s[0] < pauses_s[1] - 0.5


def test_nothing_of_a_pipeline_on_a_device_is_left(play: Callable[..., Running]) -> None:
    running = play(streams=4)
    running.wait_for(plays_on_the_device(4))
    running.end()
    left = subprocess.run(["pgrep", "-f", str(running.directory)], capture_output=True, check=False)
    assert left.stdout == b""

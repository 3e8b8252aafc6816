"""Workers of a real pipeline that die or freeze while sound plays."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from live_pipeline import Running

pytestmark = pytest.mark.live
NODES, STANDBYS, BUFFER_BLOCKS = 4, 1, 4
STEADY_FRAME = 256 * 300
"""First frame from which all streams have played for longer than they remember."""


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def starter(**changes: object) -> Running:
        given: dict[str, object] = {
            "streams": 64,
            "buffer_blocks": BUFFER_BLOCKS,
            "knobs": {"nodes": NODES, "batch_size": 64},
            "limits": {"nodes": NODES},
            "analysis_share": None,
            "visualisation_share": None,
            "duration_s": 60.0,
        }
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(Running(directory, **{**given, **changes}))
        return started[-1]

    yield starter
    for running in started:
        running.end()


def workers(running: Running, beside: tuple[int, ...] = ()) -> list[int]:
    """The workers once all are there that should be, and sound plays; the oldest first."""

    def is_whole(reply: dict[str, Any]) -> bool:
        pids = reply["processes"].get("audio", [])
        standing_by = reply["readings"]["workers.standing_by"]["value"]
        are_there = len(pids) == NODES + STANDBYS and standing_by == STANDBYS
        return are_there and not {*beside} & {*pids} and reply["blocks"]["on_time"] > 0

    pids: list[int] = running.wait_for(is_whole)["processes"]["audio"]
    running.real_time()
    return sorted(pids, key=started_at)


def started_at(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return int(stat.rpartition(")")[2].split()[19])


def absent(summary: dict[str, Any]) -> tuple[int, int]:
    return summary["blocks"]["lost"], summary["blocks"]["concealed"]


def test_twenty_killed_workers_lose_and_conceal_nothing(play: Callable[..., Running]) -> None:
    running, dead = play(), ()
    for kill in range(20):
        pid = workers(running, dead)[kill % NODES]
        os.kill(pid, signal.SIGKILL)
        dead = (*dead, pid)
    workers(running, dead)
    summary = running.ask("summary")
    assert len(summary["deaths"]) == 20
    assert absent(summary) == (0, 0), summary["alarms"]


def test_frozen_workers_lose_and_conceal_nothing(play: Callable[..., Running]) -> None:
    running, frozen = play(), ()
    for freeze in range(10):
        pid = workers(running, frozen)[freeze % NODES]
        os.kill(pid, signal.SIGSTOP)
        frozen = (*frozen, pid)
    workers(running, frozen)
    summary = running.ask("summary")
    assert len(summary["deaths"]) == 10
    assert absent(summary) == (0, 0), summary["alarms"]


@pytest.mark.parametrize("number", [1, 2])
def test_workers_killed_at_once_lose_and_conceal_nothing(
    play: Callable[..., Running], number: int
) -> None:
    running = play()
    dead = tuple(workers(running)[:number])
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    workers(running, dead)
    summary = running.ask("summary")
    assert len(summary["deaths"]) == number
    assert absent(summary) == (0, 0), summary["alarms"]


def test_with_no_worker_left_what_is_lost_is_counted_and_sound_comes_back(
    play: Callable[..., Running],
) -> None:
    running = play()
    dead = tuple(workers(running))
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    workers(running, dead)
    running.wait_for(lambda reply: reply["blocks"]["on_time"] > 0 and not reply["blocks"]["lost"])
    blocks = running.ask("summary")["blocks"]
    outcomes = [blocks[name] for name in ("on_time", "late", "concealed", "lost")]
    assert blocks["submitted"] == sum(outcomes)


def test_a_killed_worker_changes_no_bit_of_what_is_heard(
    play: Callable[..., Running], tmp_path: Path
) -> None:
    files = tmp_path / "undisturbed.wav", tmp_path / "disturbed.wav"
    for file in files:
        running = play(duration_s=5.0, record=file)
        pid = workers(running)[0]
        running.wait_for(lambda reply: reply["elapsed_s"] > 3.0)
        if file is files[1]:
            os.kill(pid, signal.SIGKILL)
        running.wait_for(lambda reply: reply["finished"])
        assert absent(running.ask("summary"))[0] == 0
        running.end()
    undisturbed, disturbed = (soundfile.read(file, dtype="int16")[0] for file in files)
    assert len(undisturbed) == len(disturbed) > STEADY_FRAME
    assert np.array_equal(undisturbed[STEADY_FRAME:], disturbed[STEADY_FRAME:])
    assert undisturbed[STEADY_FRAME:].any()

"""The built-in pipeline as a real process."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
from live_pipeline import Running
from pipeline_spec import SPEC

from controller.errors import PipelineStartError
from controller.plants.builtin.pipeline_process import (
    running_pipeline,
    start_pipeline,
)

pytestmark = pytest.mark.live


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def starter(**changes: object) -> Running:
        started.append(Running(tmp_path, **changes))
        return started[-1]

    yield starter
    for running in started:
        running.end()


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_every_block_of_the_duration_is_accounted_for(start: Callable[..., Running]) -> None:
    running = start()
    running.wait_for(lambda reply: reply["finished"])
    blocks = running.ask("summary")["blocks"]
    assert blocks["submitted"] >= 8 * int(2.5 * 48_000 / 256)
    outcomes = [blocks[name] for name in ("on_time", "late", "concealed", "lost")]
    assert blocks["submitted"] == sum(outcomes)


def test_nodes_and_batches_change_while_sound_runs(start: Callable[..., Running]) -> None:
    running = start(duration_s=20.0)
    running.ask("set", knob="nodes", value=3)
    running.ask("set", knob="batch_size", value=16)
    grown = running.wait_for(lambda reply: reply["settings"] == {"batch_size": 16, "nodes": 3})
    assert len(grown["processes"]["audio"]) == 4
    running.ask("set", knob="nodes", value=1)
    running.wait_for(lambda reply: reply["settings"]["nodes"] == 1)
    running.wait_for(lambda reply: len(reply["processes"]["audio"]) == 2)


def test_a_killed_worker_is_replaced_and_its_streams_play_on(start: Callable[..., Running]) -> None:
    running = start(duration_s=20.0)
    observed = running.wait_for(lambda reply: reply["blocks"]["on_time"] > 0)
    os.kill(min(observed["processes"]["audio"]), signal.SIGKILL)
    running.wait_for(lambda reply: reply["deaths"] == ["km-audio-1"])
    running.wait_for(lambda reply: reply["blocks"]["lost"] == 0 and reply["blocks"]["on_time"] > 0)
    assert "worker 2 took over shard 1 of worker 1" in " ".join(running.ask("summary")["alarms"])


def test_no_process_survives_its_pipeline(start: Callable[..., Running]) -> None:
    running = start(duration_s=20.0, stress=2, stress_after_s=0.1)
    observed = running.wait_for(lambda reply: "background" in reply["processes"])
    children = [pid for pids in observed["processes"].values() for pid in pids]
    running.process.kill()
    running.process.wait(5.0)
    give_up_s = time.monotonic() + 5.0
    while any(alive(pid) for pid in children) and time.monotonic() < give_up_s:
        time.sleep(0.02)
    assert not [pid for pid in children if alive(pid)]


def test_what_a_listener_would_hear_is_written(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    running = start(record=tmp_path / "heard.wav")
    running.wait_for(lambda reply: reply["finished"])
    running.end()
    sound, rate_hz = soundfile.read(tmp_path / "heard.wav")
    assert rate_hz == 48_000
    assert sound.shape == (int(3.0 * 48_000 / 256) * 256, 2)
    assert 0.01 < abs(sound).max() < 1.0


def test_pictures_of_the_streams_are_drawn(start: Callable[..., Running], tmp_path: Path) -> None:
    running = start(duration_s=20.0)
    picture = tmp_path / "pictures" / "stream-0.png"
    running.wait_for(lambda _: picture.exists())
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_pipeline_that_plays_on_can_be_found(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    assert running_pipeline(tmp_path) is None
    running = start(duration_s=20.0)
    running.connection.close()
    found = running_pipeline(tmp_path)
    assert found == SPEC.model_copy(update={"duration_s": 20.0})


def test_an_unusable_sound_is_refused_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_text("this is no sound", encoding="utf-8")
    with pytest.raises(PipelineStartError, match=r"broken\.wav") as refusal:
        start_pipeline(tmp_path, SPEC.model_copy(update={"audio": broken}))
    assert "\n" not in str(refusal.value)
    assert running_pipeline(tmp_path) is None


def test_an_unknown_executor_is_refused_in_one_line(tmp_path: Path) -> None:
    known = "known: cpu, cuda, emulated, null"
    with pytest.raises(PipelineStartError, match=f"executor nosuch: no such name; {known}"):
        start_pipeline(tmp_path, SPEC.model_copy(update={"executor": "nosuch"}))


def test_another_executor_brings_its_own_figures(start: Callable[..., Running]) -> None:
    running = start(executor="null:service_ms=2", duration_s=20.0)
    observed = running.wait_for(lambda reply: reply["blocks"]["on_time"] > 0)
    assert observed["readings"]["null.service_ms"]["value"] == 2.0
    assert running.ask("set", knob="nodes", value=9) == {"error": "no knob nodes takes 9"}

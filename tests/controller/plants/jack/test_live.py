"""`kapellmeister run --plant jack` on a real server with a real client that hogs disturb."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_run import EAGER, LONGER, awaits, soon

from controller.errors import KapellmeisterError
from controller.journal.reader import JournalReader
from controller.linux.process_id import ProcessId
from controller.linux.scheduling import read, threads_of
from controller.plants.jack.clients import playing_with
from controller.plants.programs.processes import named
from kapellmeister.calibration.jack_client import load_jack

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

NAME = "kapellmeister-sidecar-test"
"""Always the same: JACK has room for eight names, and keeps those of servers that were killed."""
CLIENT = """
import kapellmeister.calibration.jack as jack
from controller.config.config import Config

jack.XRUNS = 10**9
with jack.jack_subject(Config(), "hrtf", 32) as subject:
    while True:
        subject.measure(16, 32, 1.0)
        print("measured", flush=True)
"""
ASK = "import jack; client = jack.Client('asks', no_start_server=True)"


ENVIRONMENT = {**os.environ, "JACK_NO_AUDIO_RESERVATION": "1", "JACK_DEFAULT_SERVER": NAME}


def start_server(period: str = "256") -> subprocess.Popen[bytes]:
    """A jackd without a sound card and without real-time."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": ENVIRONMENT}
    command = ("jackd", "-n", NAME, "-r", "-d", "dummy", "-r", "48000", "-p", period)
    jackd = subprocess.Popen(command, **quiet)
    time.sleep(1.0)
    if jackd.poll() is not None:
        pytest.fail(f"jackd ended with status {jackd.returncode}")
    return jackd


@pytest.fixture
def jack() -> None:
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed")
    try:
        load_jack()
    except KapellmeisterError as error:
        pytest.skip(str(error))


@pytest.fixture
def server(jack: None) -> Iterator[None]:
    """A server, a client, and four hogs."""
    started = [start_server()]
    client = subprocess.Popen(
        (sys.executable, "-c", CLIENT),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        text=True,
    )
    started.append(client)
    assert client.stdout is not None
    client.stdout.readline()
    started += [subprocess.Popen((sys.executable, "-c", "while True: pass")) for _ in range(4)]
    try:
        yield
    finally:
        for each in reversed(started):
            each.terminate() if each is client else each.kill()
            each.wait(10)
        client.stdout.close()


def command(directory: Path, *options: str) -> subprocess.Popen[str]:
    run = ("run", "--plant", "jack", *options, "--state-dir", str(directory))
    return subprocess.Popen(
        (sys.executable, "-m", "kapellmeister", *run),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def lengthening(
    state: Path,
) -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[str]]]:
    """A server, and a run that has lengthened its period; both are gone at the end."""
    jackd = start_server()
    running = command(state, "--act", "period_frames", "--policy", LONGER)
    try:
        awaits(lambda: period() == 512, 30.0, "the period was not changed")
        yield jackd, running
    finally:
        running.kill()
        running.communicate(timeout=10)
        jackd.kill()
        jackd.wait()


def scheduled() -> dict[int, object]:
    members = playing_with(NAME, server_process())
    return {thread.tid: read(thread) for each in members for thread in threads_of(each)}


def server_process() -> ProcessId | None:
    lines = {each: Path(f"/proc/{each.pid}/cmdline").read_bytes() for each in named(["jackd"])}
    return next((each for each, line in lines.items() if NAME.encode() in line), None)


def period() -> int:
    return int(ask("print(client.blocksize)"))


def set_period(frames: int) -> None:
    ask(f"client.blocksize = {frames}")


def ask(what: str) -> str:
    return subprocess.run(
        (sys.executable, "-c", f"{ASK}; {what}"),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=10,
    ).stdout


def raised(found: dict[int, object]) -> set[int]:
    now = scheduled()
    return {tid for tid, how in found.items() if tid in now and now[tid] != how}


def test_in_shadow_nothing_is_touched(server: None, tmp_path: Path) -> None:
    found, out = scheduled(), tmp_path / "run.json"
    running = command(tmp_path / "state", "--duration", "5", "--json", str(out))
    while running.poll() is None:
        assert not raised(found)
        time.sleep(0.2)
    assert running.communicate()[0] is not None
    report = json.loads(out.read_text())
    assert report["plant"] == "jack"
    assert report["shadow"]
    assert report["blocks"]["submitted"] > 4 * 187
    assert report["streams"] is None


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_audio_threads_are_raised_and_restored_however_it_ends(
    server: None, tmp_path: Path, end: signal.Signals
) -> None:
    found = scheduled()
    running = command(tmp_path / "state", "--act", "thread_classes", "--policy", EAGER)
    try:
        awaits(lambda: raised(found), 30.0, "no audio thread was raised")
        realtime = {scheduled()[tid].policy for tid in raised(found)}
        assert realtime == {os.SCHED_FIFO}
    finally:
        running.send_signal(end)
        running.communicate(timeout=10)
    assert soon(lambda: not raised(found), 2.0), "not restored"


def alarms(state: Path) -> list[str]:
    with JournalReader(state / "journal.sqlite3") as reader:
        return [text for tick in reader.ticks(reader.run().number) for text in tick.alarms]


def test_a_server_that_freezes_or_is_started_again_is_survived(jack: None, tmp_path: Path) -> None:
    state, jackd = tmp_path / "state", start_server()
    running = command(state, "--act")

    def told(what: str, times: int) -> bool:
        return sum(what in text for text in alarms(state)) >= times

    try:
        awaits((state / "journal.sqlite3").exists, 20.0, "no journal was written")
        time.sleep(3.0)
        jackd.send_signal(signal.SIGSTOP)
        awaits(lambda: told("stands still", 1), 10.0, "a frozen server was not noticed")
        jackd.send_signal(signal.SIGCONT)
        awaits(lambda: told("plays again", 1), 20.0, "it was not noticed to go on")
        jackd.kill()
        jackd.wait()
        awaits(lambda: told("is gone", 2), 10.0, "the death of the server was not noticed")
        jackd = start_server()
        awaits(lambda: told("plays again", 2), 20.0, "the new server was not found")
    finally:
        running.send_signal(signal.SIGTERM)
        said = running.communicate(timeout=20)[0]
        jackd.kill()
        jackd.wait()
    assert running.returncode == 0, said


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_period_is_restored_however_it_ends(
    server: None, tmp_path: Path, end: signal.Signals
) -> None:
    running = command(tmp_path / "state", "--act", "period_frames", "--policy", LONGER)
    try:
        awaits(lambda: period() == 512, 30.0, "the period was not changed")
    finally:
        running.send_signal(end)
        running.communicate(timeout=10)
    assert soon(lambda: period() == 256, 5.0), "not restored"


def test_without_a_server_one_line_says_so(jack: None, tmp_path: Path) -> None:
    running = command(tmp_path / "state", "--duration", "1")
    said = running.communicate(timeout=30)[0]
    assert running.returncode == 2
    assert said.splitlines() == [
        "kapellmeister: plant jack: no server answers; start one, or name it in JACK_DEFAULT_SERVER"
    ]


def test_a_controller_that_stopped_for_long_turns_the_period_again(
    jack: None, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with lengthening(state) as (_, running):
        running.send_signal(signal.SIGSTOP)
        awaits(lambda: period() == 256, 15.0, "the watchdog did not restore it")
        running.send_signal(signal.SIGCONT)
        awaits(lambda: period() == 512, 40.0, "the period was not changed again")
        assert any("watchdog restored it" in text for text in alarms(state))


def test_a_server_that_stands_still_at_the_end_is_told_of_and_mended_by_the_next_start(
    jack: None, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with lengthening(state) as (jackd, running):
        jackd.send_signal(signal.SIGSTOP)
        running.send_signal(signal.SIGTERM)
        said = running.communicate(timeout=9)[0]
        assert said.count("could not be restored, which the next start tries again") == 1
        jackd.send_signal(signal.SIGCONT)
        assert period() == 512
        said = command(state, "--duration", "1").communicate(timeout=20)[0]
        assert "settings of a server restored that an earlier run left changed: 1" in said
        assert period() == 256


def test_a_period_that_another_hand_set_stays(jack: None, tmp_path: Path) -> None:
    with lengthening(tmp_path / "state") as (_, running):
        set_period(2048)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=10)
        assert period() == 2048


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_was_started_again_keeps_its_period(
    jack: None, tmp_path: Path, end: signal.Signals
) -> None:
    with lengthening(tmp_path / "state") as (jackd, running):
        jackd.kill()
        jackd.wait()
        again = start_server("512")  # as we had asked of the one before
        try:
            running.send_signal(end)
            running.communicate(timeout=10)
            time.sleep(1.0)  # the watchdog is done by then
            assert period() == 512
        finally:
            again.kill()
            again.wait()

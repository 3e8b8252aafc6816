"""Play out, in a process namespace of our own, that a process id is used again.

`unshare --pid --fork --mount-proc python reused_pids.py CASE FOLDER` ends with status 0 where
the program that has the number now was left alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from live_run import Run, awaits, schedules
from player import PLAYER, THREADED, crowd, end, play

from controller.linux import process_id

ORDINARY = (os.SCHED_OTHER, 0, 0)
LAST = Path("/proc/sys/kernel/ns_last_pid")
WATCHED = 8
"""Ticks for which the other program is watched: it would be found by the second."""


class Programs:
    """Stands for the server of a run."""

    plant = "process"
    environment: Mapping[str, str] = os.environ


def play_as(pid: int) -> subprocess.Popen[bytes]:
    """Another program with this number, which must be free."""
    for _ in range(50):
        LAST.write_text(str(pid - 1))
        player = play()
        if player.pid == pid:
            return player
        end(player)
    raise AssertionError(f"no program got the number {pid}")


def watches(run: Run, pid: int) -> None:
    """The program is left alone for some ticks."""
    until = len(run.ticks()) + WATCHED
    while len(run.ticks()) < until:
        assert set(schedules(pid).values()) == {ORDINARY}, "another program was rescheduled"
        assert run.process.poll() is None, run.end()


def while_it_is_controlled(folder: Path) -> None:
    """A program named by its id ends, and another gets the number."""
    player = play()
    hogs = crowd()
    run = Run(Programs(), folder, "--process", str(player.pid), "--act", "--no-live")
    awaits(lambda: ORDINARY not in schedules(player.pid).values(), 40.0, "nothing was turned")
    end(player)
    other = play_as(player.pid)
    watches(run, other.pid)
    assert "process: none of the programs runs any more" in run.events()
    assert "process: a program runs" not in run.events()
    run.end(signal.SIGTERM)
    end(other, *hogs)


def while_it_starts(folder: Path) -> None:
    """The number is used again while the controller that it was given to is loading."""
    player = play()
    run = ("run", "--plant", "process", "--process", str(player.pid), "--duration", "2")
    started = subprocess.Popen(
        (sys.executable, "-m", "kapellmeister", *run, "--state-dir", str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    libraries = Path(f"/proc/{started.pid}/maps")
    awaits(lambda: b"site-packages" in libraries.read_bytes(), 20.0, "it did not begin to load")
    started.send_signal(signal.SIGSTOP)
    end(player)
    other = play_as(player.pid)
    started.send_signal(signal.SIGCONT)
    said = started.communicate(timeout=60)[0]
    end(other)
    assert started.returncode == 2, said
    assert f"process {player.pid} has ended, and another has its number: " in said, said


def while_it_goes_on_as_another(folder: Path) -> None:
    """A program named by its id calls exec: its thread is no audio thread any more."""
    _goes_on_as_another(folder, PLAYER)


def while_a_thread_of_it_goes_on_as_another(folder: Path) -> None:
    """A thread that was raised calls exec, and is the main one with its scheduling from then on."""
    _goes_on_as_another(folder, THREADED)


def _goes_on_as_another(folder: Path, program: str) -> None:
    player = play(program)
    hogs = crowd()
    run = Run(Programs(), folder, "--process", str(player.pid), "--act", "--no-live")
    awaits(lambda: raised(player), 40.0, "nothing was turned")
    player.send_signal(signal.SIGUSR1)
    awaits(lambda: set(schedules(player.pid).values()) == {ORDINARY}, 20.0, "it was not restored")
    watches(run, player.pid)
    assert "process: none of the programs runs any more" not in run.events()
    run.end(signal.SIGTERM)
    end(player, *hogs)


def killed_before_a_thread_of_it_goes_on_as_another(folder: Path) -> None:
    """Controller and watchdog are killed, and a raised thread calls exec before the next run."""
    player = play(THREADED)
    hogs = crowd()
    run = Run(Programs(), folder, "--process", str(player.pid), "--act", "--no-live")
    awaits(lambda: raised(player), 40.0, "nothing was turned")
    run.awaits_more_ticks(1)  # whose record says how it was found
    for each in (*run.watchdogs(), run.process.pid):
        os.kill(each, signal.SIGKILL)
    player.send_signal(signal.SIGUSR1)
    awaits(lambda: len(schedules(player.pid)) == 1, 20.0, "it did not call exec")
    assert raised(player)
    again = Run(Programs(), folder, "--process", str(player.pid), "--shadow", "--no-live")
    awaits(lambda: set(schedules(player.pid).values()) == {ORDINARY}, 20.0, "it was not restored")
    again.end(signal.SIGTERM)
    for each in (player, *hogs):
        end(each)


def raised(player: subprocess.Popen[bytes]) -> bool:
    """Whether any thread is scheduled otherwise than it began."""
    return set(schedules(player.pid).values()) != {ORDINARY}


def while_it_is_ended(folder: Path) -> None:
    """A process ends, and another gets the number, after it was looked at and before the signal."""
    del folder
    player, others = play(), list[subprocess.Popen[bytes]]()

    def lived(process: process_id.ProcessId) -> bool:
        end(player)
        others.append(play_as(process.pid))
        return True

    process_id.lives = lived
    process_id.kill(process_id.identify_process(player.pid))
    assert others[0].poll() is None, "another process was ended"
    end(others[0])


CASES = {
    each.__name__: each
    for each in (
        while_it_is_controlled,
        while_it_starts,
        while_it_goes_on_as_another,
        while_a_thread_of_it_goes_on_as_another,
        killed_before_a_thread_of_it_goes_on_as_another,
        while_it_is_ended,
    )
}

if __name__ == "__main__":
    CASES[sys.argv[1]](Path(sys.argv[2]))

"""Why a process may not be looked into or rescheduled, as /proc and its mount tell it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from controller.errors import SchedulingRefusedError, ThreadGoneError
from controller.linux import process_access, scheduling
from controller.linux.process_id import ProcessId
from controller.linux.scheduling import Scheduling, ThreadId
from controller.plants.threads import audio_threads as watched_threads
from controller.plants.threads.audio_threads import WatchedThreads
from controller.plants.threads.other_users import OtherUsers

NOBODY = 65534
ORDINARY = Scheduling(os.SCHED_OTHER, 0, 0, frozenset({0}))
REALTIME = Scheduling(os.SCHED_FIFO, 10, 0, frozenset({0}))
NO_CAPABILITY, ALL_CAPABILITIES = "0" * 16, "000001ffffffffff"


class Proc:
    """A /proc in a folder: how it is mounted, what we may do, and processes of others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "self").mkdir()
        self.ours()
        self.write("self/uid_map", "0 0 4294967295\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")

    def mounted(self, options: str) -> None:
        earlier = f"22 27 0:21 / {self.root} rw,relatime - proc proc rw,hidepid=noaccess\n"
        self.write(
            "self/mountinfo",
            f"{earlier}24 22 0:30 / /elsewhere rw - proc proc rw,hidepid=ptraceable\n"
            f"23 22 0:22 / {self.root} rw,relatime - proc proc {options}\n",
        )

    def ours(self, capabilities: str = NO_CAPABILITY, seccomp: int = 0) -> None:
        self.write("self/status", f"Name:\tus\nSeccomp:\t{seccomp}\nCapEff:\t{capabilities}\n")

    def process(self, pid: int, real: int, effective: int) -> None:
        uids = f"{real}\t{effective}\t{effective}\t{effective}"
        self.write(f"{pid}/status", f"Name:\tx\nUid:\t{uids}\n")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


@pytest.mark.parametrize("hidepid", ["1", "2", "noaccess", "invisible", "4", "ptraceable"])
def test_a_mount_that_hides_processes_is_named_as_the_kernel_calls_it(
    proc: Proc, hidepid: str
) -> None:
    proc.mounted(f"rw,gid=4242,hidepid={hidepid}")
    names = {"1": "noaccess", "2": "invisible", "4": "ptraceable"}
    why, remedy = process_access.hidden(proc.root) or ("", "")
    assert why == (
        f"{proc.root} is mounted with hidepid={names.get(hidepid, hidepid)}, "
        "which hides programs of others"
    )
    assert "CAP_SYS_PTRACE" in remedy
    assert "{who}" in remedy


@pytest.mark.parametrize("options", ["rw", "rw,gid=42", "rw,hidepid=off", "rw,hidepid=0", ""])
def test_a_mount_that_hides_nothing_is_in_nobodys_way(proc: Proc, options: str) -> None:
    proc.mounted(options)
    assert process_access.hidden(proc.root) is None


def test_the_group_that_a_mount_exempts_is_told(proc: Proc) -> None:
    proc.mounted("rw,gid=4242,hidepid=invisible")
    _, remedy = process_access.hidden(proc.root) or ("", "")
    assert remedy == "run this {who}, or in group 4242, or grant CAP_SYS_PTRACE"


def test_a_mount_by_what_may_be_traced_exempts_no_group(proc: Proc) -> None:
    proc.mounted(f"rw,gid={os.getegid()},hidepid=ptraceable")
    assert process_access.hidden(proc.root) is not None


def test_whoever_is_in_the_group_of_the_mount_sees_all(proc: Proc) -> None:
    proc.mounted(f"rw,gid={os.getegid()},hidepid=invisible")
    assert process_access.hidden(proc.root) is None


def test_whoever_may_trace_sees_all(proc: Proc) -> None:
    proc.mounted("rw,hidepid=invisible,gid=4242")
    proc.ours(ALL_CAPABILITIES)
    assert process_access.hidden(proc.root) is None


def test_a_proc_of_another_namespace_is_told(proc: Proc) -> None:
    (proc.root / "self/status").unlink()
    (proc.root / "self/uid_map").unlink()
    (proc.root / "self").rmdir()
    assert "is not mounted" in (process_access.foreign(proc.root) or ("", ""))[0]
    (proc.root / "self").symlink_to("1234567")
    assert "another namespace's" in (process_access.foreign(proc.root) or ("", ""))[0]
    assert process_access.foreign() is None


def test_the_threads_of_another_user_are_not_ours_to_reschedule(proc: Proc) -> None:
    proc.process(7, 54321, 54321)
    assert process_access.owner_obstacle(7, proc.root) == (
        "it belongs to user 54321",
        "run this as user 54321, or grant CAP_SYS_NICE",
    )
    proc.ours(ALL_CAPABILITIES)
    assert process_access.owner_obstacle(7, proc.root) is None


def test_a_program_of_ours_with_privileges_of_its_own_may_be_rescheduled(proc: Proc) -> None:
    proc.process(7, os.geteuid(), 54321)
    assert process_access.owner_obstacle(7, proc.root) is None
    proc.process(7, 54321, os.geteuid())
    assert process_access.owner_obstacle(7, proc.root) is None


def test_of_a_process_that_is_gone_no_owner_is_in_the_way(proc: Proc) -> None:
    assert process_access.owner_obstacle(7, proc.root) is None


@pytest.mark.parametrize(
    ("uid_map", "seccomp", "words"),
    [
        ("0 100000 65536\n", 0, "user namespace"),
        ("0 0 4294967295\n", 2, "seccomp"),
        ("0 0 4294967295\n", 0, "security module"),
    ],
)
def test_why_a_capability_does_not_help_is_told(
    proc: Proc, uid_map: str, seccomp: int, words: str
) -> None:
    assert process_access.privilege_obstacle(proc.root) is None
    proc.ours(ALL_CAPABILITIES, seccomp)
    proc.write("self/uid_map", uid_map)
    assert words in (process_access.privilege_obstacle(proc.root) or "")


def test_processes_of_other_users_are_told_once_and_those_alike_together(proc: Proc) -> None:
    told: list[str] = []
    others = OtherUsers(told.append, proc.root)
    for pid in (7, 8):
        proc.process(pid, 54321, 54321)
    proc.process(9, os.geteuid(), os.geteuid())
    seven, eight, nine = (ProcessId(pid, 1) for pid in (7, 8, 9))
    others.look((seven, eight, nine))
    others.look((seven, eight, nine))
    assert told == [
        "processes 7, 8: watched and not rescheduled: it belongs to user 54321; "
        "run this as user 54321, or grant CAP_SYS_NICE"
    ]
    others.look((ProcessId(7, 2),))
    assert told[1].startswith("process 7: watched")


def test_threads_of_other_users_are_watched_and_never_scheduled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def owner_obstacle(tid: int) -> tuple[str, str] | None:
        asked.append(tid)
        return ("it belongs to user x", "run this as user x") if tid == 7 else None

    monkeypatch.setattr(watched_threads, "owner_obstacle", owner_obstacle)
    theirs, own = ThreadId(7, 1), ThreadId(8, 1)
    watched = WatchedThreads(found={theirs: ORDINARY, own: ORDINARY})
    for _ in range(3):
        assert watched.classes()["audio"] == [own]
    assert asked == [7, 8]


# what the kernel refuses of a thread


def refused(monkeypatch: pytest.MonkeyPatch, number: int, wanted: Scheduling) -> str:
    """The words where each change of a thread fails so."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(scheduling, "read", lambda thread: ORDINARY)
    for call in ("sched_setscheduler", "setpriority", "sched_setaffinity"):
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(SchedulingRefusedError) as caught:
        scheduling.restore(ThreadId(7, 1), wanted)
    return str(caught.value).partition("refused: ")[2]


ELSEWHERE = Scheduling(os.SCHED_OTHER, 0, 0, frozenset({1}))


@pytest.mark.parametrize(
    ("number", "wanted", "words"),
    [
        (errno.EINVAL, ELSEWHERE, "Invalid argument; name processors that exist and that its"),
        (errno.EINVAL, REALTIME, "Invalid argument; this kernel has no such scheduling"),
        (errno.EBUSY, ELSEWHERE, "Device or resource busy; end what runs under SCHED_DEADLINE"),
        (errno.EPERM, ELSEWHERE, "Operation not permitted; NICE"),
        (errno.EPERM, REALTIME, "Operation not permitted; REALTIME"),
        (errno.EACCES, REALTIME, "Permission denied; REALTIME"),
        (errno.ENOMEM, ELSEWHERE, "Cannot allocate memory; free some memory"),
    ],
)
def test_each_refusal_of_a_thread_has_a_remedy_of_its_own(
    monkeypatch: pytest.MonkeyPatch, number: int, wanted: Scheduling, words: str
) -> None:
    monkeypatch.setattr(scheduling, "owner_obstacle", lambda tid: None)
    monkeypatch.setattr(scheduling, "realtime_obstacle", lambda tid: "REALTIME")
    monkeypatch.setattr(scheduling, "nice_obstacle", lambda: "NICE")
    assert refused(monkeypatch, number, wanted).startswith(words)


def test_a_thread_of_another_user_is_refused_for_that_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reason = "it belongs to user x", "run this as user x, or grant CAP_SYS_NICE"
    monkeypatch.setattr(scheduling, "owner_obstacle", lambda tid: reason)
    assert refused(monkeypatch, errno.EPERM, REALTIME) == (
        "Operation not permitted, as it belongs to user x; "
        "run this as user x, or grant CAP_SYS_NICE"
    )


def test_a_thread_that_has_ended_meanwhile_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ProcessLookupError(errno.ESRCH, "No such process")

    monkeypatch.setattr(scheduling, "read", lambda thread: ORDINARY)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(ThreadGoneError):
        scheduling.restore(ThreadId(7, 1), REALTIME)


def test_a_thread_that_may_not_be_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "sched_getscheduler", refuse)
    with pytest.raises(ThreadGoneError, match=r"it cannot be seen \(Operation not permitted\)"):
        scheduling.read(scheduling.identify(os.getpid()))


def test_too_few_open_files_are_no_end_of_a_thread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "7").symlink_to("7")
    assert scheduling.threads_of(7, tmp_path) == ()
    monkeypatch.setattr(scheduling, "LIMITS", (errno.ELOOP,))
    with pytest.raises(OSError, match="symbolic links"):
        scheduling.threads_of(7, tmp_path)
    with pytest.raises(OSError, match="symbolic links"):
        scheduling.identify(7, tmp_path)

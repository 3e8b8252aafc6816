"""Whatever a file of /proc or /sys holds, every reader of it comes to an end that it announces."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.errors import KernelFileError, ThreadGoneError
from controller.journal import journal
from controller.linux import kernel_files, obstacles, process_access, scheduling
from controller.linux.control_group import is_within
from controller.linux.process_id import ProcessId, read_process
from controller.linux.scheduling import ThreadId
from controller.plants.jack import clients
from controller.plants.pipewire import listeners
from controller.plants.programs import processes
from controller.plants.threads.audio_threads import WatchedThreads
from controller.sensors import threads
from controller.sensors.cpu import MachineSensor, ProcessSensor, ThreadSensor
from controller.sensors.threads import ThreadActivitySensor
from controller.watchdog import watchdog as watchdog
from kapellmeister.machine import description as machine
from kapellmeister.machine import kernel_findings, neighbours
from kapellmeister.machine import linux as kernel
from kapellmeister.machine.other_managers import running_managers
from policies.observation import Invalid, Missing, Reading, Value

STAT = b"7 (a player) S 1 7 7 0 -1 4194304 1 0 0 0 %d 50 0 0 -11 0 1 0 4242 1 1 1 1 1 0 0 0"
STATUS = b"""Name:\tplayer
Uid:\t0\t0\t0\t0
VmHWM:\t  204800 kB
VmRSS:\t  102400 kB
Seccomp:\t0
CapEff:\t000001ffffffffff
voluntary_ctxt_switches:\t%d
nonvoluntary_ctxt_switches:\t10
"""
SOUND: Mapping[str, bytes] = {
    "proc/stat": b"cpu  %d 0 100 800 10 0 0 10 0 0\ncpu0 1 2 3\n",
    "proc/pressure/cpu": b"some avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n",
    "proc/cpuinfo": b"processor\t: 0\nmodel name\t: A processor\n",
    "proc/config.gz": b"not packed",
    "proc/net/unix": b"Num RefCount Protocol Flags Type St Inode Path\n"
    b"0: 00000002 00000000 00010000 0001 01 77 /run/pipewire-0\n",
    "proc/7/stat": STAT,
    "proc/7/status": STATUS,
    "proc/7/schedstat": b"%d 2000 30\n",
    "proc/7/comm": b"pipewire\n",
    "proc/7/cmdline": b"/usr/bin/pipewire\0",
    "proc/7/maps": b"7f00-7f01 r--s 00000000 00:1b 9 /dev/shm/jack_sem.0_default_system_x\n",
    "proc/7/cgroup": b"4:memory:/x\n1:cpu,cpuacct:/audio\n0::/\n",
    "proc/7/task/7/schedstat": b"%d 2000 30\n",
    "proc/7/task/7/status": STATUS,
    "proc/self/mountinfo": b"22 27 0:21 / /proc rw - proc proc rw,hidepid=2,gid=42\n",
    "proc/self/status": STATUS,
    "proc/self/uid_map": b"0 0 4294967295\n",
    "proc/sys/kernel/random/boot_id": b"3c0cba01-7b6c-4f3f-8d0e-1f0bb3c1a2c3\n",
    "proc/sys/kernel/sched_rt_runtime_us": b"950000\n",
    "sys/kernel/realtime": b"0\n",
    "sys/kernel/debug/sched/preempt": b"none voluntary (full) lazy\n",
    "sys/kernel/sched_ext/root/ops": b"\n",
    "sys/fs/cgroup/cgroup.controllers": b"cpu io\n",
    "sys/cpu/cpu0/cpufreq/scaling_cur_freq": b"2400000\n",
    "sys/cpu/cpu0/cpufreq/cpuinfo_max_freq": b"3800000\n",
    "sys/cpu/cpu1/cpufreq/scaling_cur_freq": b"1900000\n",
    "sys/cpu/cpu1/cpufreq/cpuinfo_max_freq": b"3800000\n",
}
"""Files as the kernel writes them; a number that grows stands as %d."""
WORDS = (
    *(b"", b"0", b"-1", b"-0", b"1.5", b"nan", b"inf", b"1e30", b"0x10", b"1_0", b"<unknown>"),
    *(b"\0", b"\xff\xfe", "¹²".encode(), "٣".encode(), b" ", b"\n", b"(", b")", b":", b"kB"),
    *(str(2**63).encode(), str(2**64 - 1).encode(), str(2**64).encode()),
    *(b"9" * 30, b"9" * 400, b"9" * 5000),
)
FAILING = ("absent", "folder", "loop", "unreadable")
"""A file that is none, whose path ends nowhere, or whose reading fails (EIO)."""
Content = bytes | str


@st.composite
def odd(draw: st.DrawFn, sound: bytes) -> Content:
    """Something in place of a sound file."""
    kind = draw(st.sampled_from(("sound", "word", "bytes", "cut", "replaced", "more", "failing")))
    grown = sound.replace(b"%d", str(draw(st.integers(0, 10**9))).encode())
    if kind == "word":
        return draw(st.sampled_from(WORDS))
    if kind == "bytes":
        return draw(st.binary(max_size=60))
    if kind == "cut":
        return grown[: draw(st.integers(0, len(grown)))]
    if kind == "replaced":
        fields = grown.split(b" ")
        fields[draw(st.integers(0, len(fields) - 1))] = draw(st.sampled_from(WORDS))
        return b" ".join(fields)
    if kind == "more":
        return grown.rstrip() + b" " + b" ".join(draw(st.lists(st.sampled_from(WORDS))))
    return draw(st.sampled_from(FAILING)) if kind == "failing" else grown


Tree = Mapping[str, Content]
SENSED = ("proc/stat", "proc/pressure/", "proc/7/s", "proc/7/maps", "proc/7/task/", "sys/cpu/")
"""How the files begin of which readings are made."""
trees = st.fixed_dictionaries({name: odd(sound) for name, sound in SOUND.items()})
sensed = st.fixed_dictionaries(
    {name: odd(sound) for name, sound in SOUND.items() if name.startswith(SENSED)}
)


def put(root: Path, tree: Tree) -> None:
    """Lay the files out, in place of all that were there."""
    shutil.rmtree(root, ignore_errors=True)
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content == "folder":
            path.mkdir()
        elif content == "loop":
            path.symlink_to(path)
        elif content == "unreadable":
            path.symlink_to("/proc/self/mem")


class Sensors:
    """Everything that gives readings, over one root."""

    def __init__(self, root: Path) -> None:
        seconds: Iterator[int] = iter(range(100, 1000))
        proc = root / "proc"

        def now_s() -> float:
            return float(next(seconds))

        self._machine = MachineSensor(proc, now_s, root / "sys/cpu")
        self._threads = ThreadSensor(proc, now_s)
        self._process = ProcessSensor(7, proc)
        self._watched = WatchedThreads(ThreadActivitySensor(proc, now_s))

    def read(self) -> dict[str, Reading]:
        self._watched.look({ProcessId(7, 4242): (187.5,)}, ())
        read = self._machine.read() | self._threads.read([7, 8]) | self._process.read()
        return read | {f"watched {k}": each for k, each in self._watched.readings().items()}


@pytest.fixture(autouse=True)
def numbered_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "identify", lambda tid: ThreadId(tid, 4242))


EXAMPLES = int(os.environ.get("KERNEL_FILE_EXAMPLES", "40"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The folder of a test is laid out anew for each example."""


def can_be(name: str, reading: Reading) -> bool:
    """Whether nothing is told that cannot be true."""
    if not isinstance(reading, Value):
        return isinstance(reading, (Missing, Invalid))
    if not math.isfinite(reading.value) or reading.value < 0.0:
        return False
    is_share = name.endswith(("utilisation", "frequency_share", "steal_share", "some_share"))
    return reading.value <= 1.0 if is_share else reading.value < 1e13


@fuzzed
@given(sensed, sensed, sensed)
def test_every_reading_is_one_that_can_be(
    tmp_path: Path, first: Tree, second: Tree, third: Tree
) -> None:
    root = tmp_path / "root"
    put(root, first)
    sensors = Sensors(root)
    for tree in (first, second, third):
        put(root, tree)
        wrong = {name: each for name, each in sensors.read().items() if not can_be(name, each)}
        assert wrong == {}


def test_what_is_sound_is_read(tmp_path: Path) -> None:
    put(tmp_path / "root", {name: sound.replace(b"%d", b"100") for name, sound in SOUND.items()})
    sensors = Sensors(tmp_path / "root")
    sensors.read()
    for name, sound in SOUND.items():  # in the same folders: in others there are other processes
        (tmp_path / "root" / name).write_bytes(sound.replace(b"%d", b"300"))
    readings = sensors.read()
    odd_ones = {name: each for name, each in readings.items() if not isinstance(each, Value)}
    assert set(odd_ones) <= {name for name in readings if name.startswith("watched audio.")}
    assert readings["cpu.frequency_share"] == Value((2.4 / 3.8 + 0.5) / 2)


READERS: Mapping[str, Callable[[Path], object]] = {
    "identify": lambda root: scheduling.identify(7, root / "proc"),
    "threads_of": lambda root: scheduling.threads_of(7, root / "proc"),
    "read_process": lambda root: read_process(7, root / "proc"),
    "realtime_group": lambda root: obstacles.realtime_group(7, root / "proc"),
    "read_number": lambda root: kernel_files.read_number(
        root / "proc/sys/kernel/sched_rt_runtime_us"
    ),
    "_ran_s": lambda root: watchdog._ran_s(ThreadId(7, 1), root / "proc"),
    "_boot": lambda root: journal._boot(root / "proc"),
    "named": lambda root: processes.named(("pipewire", "7", "cgroup:/audio"), root / "proc"),
    "playing_with": lambda root: clients.playing_with("default", ProcessId(7, 4242), root / "proc"),
    "listening": lambda root: listeners.listening(
        "pipewire", Path("/run/pipewire-0"), root / "proc"
    ),
    "hidden": lambda root: process_access.hidden(root / "proc"),
    "foreign": lambda root: process_access.foreign(root / "proc"),
    "owner_of": lambda root: process_access.owner_of(7, root / "proc"),
    "owner_obstacle": lambda root: process_access.owner_obstacle(7, root / "proc"),
    "privilege_obstacle": lambda root: process_access.privilege_obstacle(root / "proc"),
    "timer_frequency_hz": kernel.timer_frequency_hz,
    "preemption_model": kernel.preemption_model,
    "control_groups": kernel.control_groups,
    "has_realtime_groups": kernel.has_realtime_groups,
    "replaced_scheduler": kernel.replaced_scheduler,
    "running": lambda root: kernel.running(("pipewire", "jackd"), root),
    "running_managers": running_managers,
    "_other_managers": neighbours.other_managers,
    "_processes": lambda root: kernel_findings.processes(root / "proc"),
    "_processor": lambda root: machine._processor(root / "proc"),
}


@fuzzed
@given(trees)
def test_every_reader_answers_or_says_that_there_is_no_answer(tmp_path: Path, tree: Tree) -> None:
    put(tmp_path / "root", tree)
    for read in READERS.values():
        with contextlib.suppress(ThreadGoneError, KernelFileError):
            read(tmp_path / "root")


@pytest.mark.parametrize("name", READERS)
def test_every_reader_answers_where_there_is_nothing_at_all(tmp_path: Path, name: str) -> None:
    (tmp_path / "proc").mkdir()
    with contextlib.suppress(ThreadGoneError):
        READERS[name](tmp_path)


@given(st.binary(max_size=80))
def test_no_listing_of_control_groups_is_taken_for_another(listing: bytes) -> None:
    text = listing.decode(errors="replace")
    assert is_within(["cgroup:/audio"], text) == any(
        f"{line.split(':', 2)[-1]}/".startswith("/audio/") and line.count(":") > 1
        for line in text.splitlines()
    )


@given(st.none() | st.integers(), st.none() | st.integers())
def test_any_budget_of_real_time_can_be_told(budget_us: int | None, period_us: int | None) -> None:
    assert kernel_findings.realtime_budget(budget_us, period_us).found


@pytest.mark.parametrize(
    "word", ["", "-1", "+1", "1_0", "1.0", "0x1", " 1", "1\0", "٣", "¹", str(2**64), "9" * 5000]
)
def test_what_the_kernel_never_writes_is_no_count(word: str) -> None:
    with pytest.raises(ValueError, match="not a count"):
        kernel_files.count(word)


def test_counts_reach_to_the_end_of_64_bits() -> None:
    assert kernel_files.count(str(2**64 - 1)) == 2**64 - 1
    assert kernel_files.count(b"0") == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "says nothing"),
        (b"\0\0\n", "says nothing"),
        (b"<unknown>\n", "says '<unknown>'"),
        (b"a\x1bb\n", "says 'a?b'"),
        (b"9" * 50, f"says '{'9' * 40}...'"),
    ],
)
def test_what_an_odd_file_says_is_told_in_a_few_printable_words(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(KernelFileError) as caught:
        kernel_files.read_count(tmp_path / "file")
    assert str(caught.value) == f"{tmp_path}/file: {told}"


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file")
    assert kernel_files.read_bytes(tmp_path / "file") == b""


def test_a_file_without_end_is_read_no_further_than_any_file_of_the_kernel() -> None:
    assert len(kernel_files.read_bytes("/dev/zero")) == kernel_files.LARGEST_BYTES

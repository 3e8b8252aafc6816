"""The command where Linux hides processes, tells nonsense, or grants little: real mounts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from player import HOG, PLAYER

from controller.journal.reader import JournalReader
from policies.observation import Missing

KAPELLMEISTER = f"{sys.executable} -m kapellmeister"
UNPRIVILEGED = (
    "setpriv --regid 65534 --clear-groups --inh-caps -all "
    "--bounding-set -sys_ptrace,-dac_override,-dac_read_search,-sys_nice"
)
"""Prefix of a command, which runs as root without the right to look into other processes."""


def in_namespaces(script: str, folder: Path, **names: object) -> subprocess.CompletedProcess[str]:
    """Run a script in namespaces of mounts and processes of its own, with these variables."""
    given = {"T": str(folder), "K": KAPELLMEISTER, "N": UNPRIVILEGED}
    return subprocess.run(
        ("unshare", "-m", "-p", "-f", "--kill-child", "bash", "-c", script),
        env={**os.environ, **given, **{name: str(each) for name, each in names.items()}},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def namespaces_are_granted() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return False
    command = ("unshare", "-m", "-p", "-f", "mount", "-t", "proc", "proc", "/proc")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not namespaces_are_granted(), reason="no namespaces of our own here"),
]

HIDDEN = """
mount -t proc -o hidepid=$HIDEPID,gid=4242 proc /proc
setpriv --reuid 65534 --regid 65534 --clear-groups sleep 60 & P=$!
sleep 60 & Q=$!
printf '[sidecar]\\nbackground = ["%s"]\\n' $P > $T/background.toml
until grep -q sleep /proc/$P/comm; do :; done
$N $K run --plant process --duration 1 --no-live --state-dir $T/state $OPTIONS
"""


@pytest.mark.parametrize("hidepid", [1, 2, 4])
@pytest.mark.parametrize(
    "options", ["--process $P", "--process $Q --config $T/background.toml --act"]
)
def test_a_program_that_is_hidden_is_told_with_the_mount_that_hides_it(
    tmp_path: Path, hidepid: int, options: str
) -> None:
    script = HIDDEN.replace("$OPTIONS", options)
    run = in_namespaces(script, tmp_path, HIDEPID=hidepid)
    name = {1: "noaccess", 2: "invisible", 4: "ptraceable"}[hidepid]
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert f"cannot be looked into: /proc is mounted with hidepid={name}" in run.stderr
    assert "grant CAP_SYS_PTRACE" in run.stderr
    assert ("in group 4242" in run.stderr) == (hidepid != 4)


@pytest.mark.parametrize("hidepid", [1, 2, 4])
def test_a_hidden_program_that_is_named_by_its_name_may_be_there(
    tmp_path: Path, hidepid: int
) -> None:
    script = HIDDEN.replace("$OPTIONS", "--process no-such-program")
    run = in_namespaces(script, tmp_path, HIDEPID=hidepid)
    assert run.returncode == 2
    assert run.stderr.startswith("kapellmeister: plant process: no process no-such-program runs")
    assert "or it is hidden: /proc is mounted with hidepid=" in run.stderr


@pytest.mark.parametrize("hidepid", [1, 2, 4])
def test_a_number_that_no_process_has_is_not_said_to_be_hidden(
    tmp_path: Path, hidepid: int
) -> None:
    run = in_namespaces(HIDDEN.replace("$OPTIONS", "--process 54321"), tmp_path, HIDEPID=hidepid)
    assert run.returncode == 2
    assert run.stderr == (
        "kapellmeister: plant process: no process 54321 runs; name some by --process, by name, "
        "process id or control group\n"
    )


def test_whoever_is_in_the_group_of_the_mount_controls_as_ever(tmp_path: Path) -> None:
    member = UNPRIVILEGED.replace("--clear-groups", "--groups 4242")
    run = in_namespaces(HIDDEN.replace("$OPTIONS", "--process $P"), tmp_path, HIDEPID=2, N=member)
    assert run.returncode == 0, run.stderr
    assert "hid" not in run.stderr


def test_a_program_of_another_user_is_watched_and_said_to_be_no_more(tmp_path: Path) -> None:
    script = HIDDEN.replace("$OPTIONS", "--process $P --act")
    run = in_namespaces(script, tmp_path, HIDEPID=0)
    assert run.returncode == 0
    told = [line for line in run.stderr.splitlines() if "watched" in line]
    assert len(told) == 1
    assert told[0].endswith(
        "watched and not rescheduled: it belongs to user nobody; "
        "run this as user nobody, or grant CAP_SYS_NICE"
    )


def test_a_proc_of_another_namespace_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    script = "sleep 60 & $K run --plant process --process $! --no-live --state-dir $T/state"
    run = in_namespaces(script, tmp_path)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "namespace" in run.stderr
    assert "`mount -t proc proc /proc`" in run.stderr
    assert not (tmp_path / "state").exists()


FREQUENCIES = """
mount -t proc proc /proc
F=$T/cpu; mkdir -p $F
for each in online possible present; do cat /sys/devices/system/cpu/$each > $F/$each; done
for c in 0 1; do
  mkdir -p $F/cpu$c/cpufreq
  echo 2400000 > $F/cpu$c/cpufreq/scaling_cur_freq
  printf -- "$HIGHEST" > $F/cpu$c/cpufreq/cpuinfo_max_freq
done
mount --bind $F /sys/devices/system/cpu
sleep 60 &
$K run --plant process --process $! --duration 2 --no-live --state-dir $T/state || exit
$K doctor --json $T/doctor.json
"""


@pytest.mark.parametrize("highest", ["0", "", "-1", "nonsense", "9" * 40])
def test_a_highest_frequency_that_cannot_be_ends_neither_run_nor_doctor(
    tmp_path: Path, highest: str
) -> None:
    run = in_namespaces(FREQUENCIES, tmp_path, HIGHEST=highest)
    assert (run.returncode, run.stderr) == (0, "")
    with JournalReader(tmp_path / "state/journal.sqlite3") as reader:
        told = [tick.observation.get("cpu.frequency_share") for tick in reader.ticks(1)]
    file = "/sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq"
    says = f"says '{highest[:40]}'" if highest else "says nothing"
    assert set(told) == {Missing(f"{file}: {says}")}
    assert json.loads((tmp_path / "doctor.json").read_text())["sensors"]


PLACES = """
mount -t proc proc /proc
mkdir $T/read-only $T/full $T/few
mount -t tmpfs -o ro none $T/read-only
mount -t tmpfs -o size=64k none $T/full; cat /dev/zero > $T/full/x 2> /dev/null
mount -t tmpfs -o nr_inodes=3 none $T/few
sleep 60 &
$LIMIT
$K run --plant process --process $! --duration 1 --no-live $OPTIONS
"""


@pytest.mark.parametrize(
    ("options", "limit", "words"),
    [
        ("--state-dir $T/read-only/s", "", "mount it writable, or choose another --state-dir"),
        ("--state-dir $T/full/s", "", "free some space there, or choose another --state-dir"),
        ("--state-dir $T/few/s", "", "few has room for no more files); free some space there"),
        ("--state-dir $T/s --json $T/read-only/x", "", "mount it writable, or name another"),
        ("--state-dir $T/s --json $T/full/y", "", "free some space there, or name another"),
        ("--state-dir $T/s", "ulimit -n 8", "allow more open files than 8 (`ulimit -n`"),
        ("--state-dir $T/s", "ulimit -n 12", "allow more open files than 12 (`ulimit -n`"),
        ("--state-dir $T/s", "ulimit -f 10", "raise the limit of a file's size (`ulimit -f`)"),
    ],
)
def test_each_limit_and_place_ends_in_one_line_with_its_own_remedy(
    tmp_path: Path, options: str, limit: str, words: str
) -> None:
    script = PLACES.replace("$OPTIONS", options).replace("$LIMIT", limit)
    run = in_namespaces(script, tmp_path)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert words in run.stderr


REMOUNTED = """
mount -t proc proc /proc
setpriv --reuid 65534 --regid 65534 --clear-groups $PYTHON -c "$PLAYER" > /dev/null & P=$!
for hog in 1 2 3 4; do $PYTHON -c "$HOG" & done
$N $K run --plant process --process $P --act --no-live --state-dir $T/state > $T/said 2>&1 & R=$!
raised() { chrt -a -p $1 2> /dev/null | grep -q SCHED_FIFO; }
until raised $P; do kill -0 $R || exit 9; sleep 0.1; done
mount -o remount,hidepid=$HIDEPID /proc
sleep 7
raised $P && echo "raised while hidden"
if [ $ENDS = hidden ]; then
  kill $R; wait $R
  mount -o remount,hidepid=0 /proc
  $K run --plant process --process $P --duration 1 --no-live --state-dir $T/state >> $T/said
else
  mount -o remount,hidepid=0 /proc
  sleep 4
  raised $P && echo "raised afterwards"
  kill $R; wait $R
fi
echo "ended with $?"
raised $P || echo "restored"
"""
MAY_SCHEDULE = UNPRIVILEGED.replace(",-sys_nice", "")


@pytest.mark.parametrize("hidepid", [1, 2])
@pytest.mark.parametrize("ends", ["seen", "hidden"])
def test_programs_that_are_hidden_for_a_while_are_neither_lost_nor_taken_to_have_ended(
    tmp_path: Path, hidepid: int, ends: str
) -> None:
    programs = {"PYTHON": sys.executable, "PLAYER": PLAYER, "HOG": HOG}
    given = {"HIDEPID": hidepid, "ENDS": ends, "N": MAY_SCHEDULE}
    run = in_namespaces(REMOUNTED, tmp_path, **programs, **given)
    said = (tmp_path / "said").read_text()
    told = ["raised while hidden", "ended with 0", "restored"]
    if ends == "seen":
        told.insert(1, "raised afterwards")
    assert run.stdout.splitlines() == told, said + run.stderr
    with JournalReader(tmp_path / "state/journal.sqlite3") as reader:
        ticks = list(reader.ticks(1))
    assert {event for tick in ticks for event in tick.observation.events} <= {
        "process: a program has begun"
    }
    assert [text for tick in ticks for text in tick.alarms if "hand" in text] == []
    shown = [tick.observation.get("audio.run_delay_share") for tick in ticks]
    name = {1: "noaccess", 2: "invisible"}[hidepid]
    why = f"the audio threads are not seen: /proc is mounted with hidepid={name}"
    assert any(isinstance(each, Missing) and each.reason.startswith(why) for each in shown), shown

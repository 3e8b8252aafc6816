from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from rich.console import Console

from controller.journal.state_directory import StateDirectory
from controller.linux.permissions import Permissions
from controller.linux.scheduling import Scheduling
from controller.plants.pipewire import command_line as pipewire_tools
from kapellmeister.machine import installation, kernel_findings, neighbours
from kapellmeister.machine import linux as kernel
from kapellmeister.machine.actuator_findings import actuator_findings
from kapellmeister.machine.doctor import DoctorReport, doctor, print_report
from kapellmeister.machine.finding import Finding, Status

REFUSED = Permissions(realtime=False, nice=False, priority_max=0, cpus=frozenset({0}))
GRANTED = Permissions(realtime=True, nice=True, priority_max=70, cpus=frozenset({0, 1, 2, 5}))


@pytest.fixture(scope="module")
def report() -> DoctorReport:
    return doctor(watch=lambda: None)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_this_machine_is_examined_in_every_respect(report: DoctorReport) -> None:
    titles = [title for title, findings in report.sections() if findings]
    assert titles == [
        "kernel",
        "sensors",
        "actuators",
        "gpu",
        "cluster",
        "sound libraries",
        "neighbours",
        "installation",
    ]


def test_the_sound_libraries_that_are_required_load_here(report: DoctorReport) -> None:
    loaded = {each.name for each in report.sound_libraries if each.status is Status.WORKS}
    assert loaded == {"soundfile", "soxr", "sofar", "numba"}


def test_the_import_names_are_ours_here(report: DoctorReport) -> None:
    ours = [each.status for each in report.installation if each.name.startswith("import ")]
    assert ours == [Status.WORKS] * 4


def test_a_report_survives_its_way_through_json(report: DoctorReport) -> None:
    assert DoctorReport.model_validate_json(report.model_dump_json()) == report


def test_what_neither_works_nor_is_possible_here_says_how_to_enable_it() -> None:
    realtime, nice, sets, _ = actuator_findings(REFUSED)
    assert (realtime.status, nice.status) == (Status.REFUSED, Status.REFUSED)
    assert "CAP_SYS_NICE" in nice.remedy
    assert realtime.remedy
    assert sets.found == "only one processor"


def test_what_is_granted_is_told_with_its_limits() -> None:
    realtime, nice, sets, _ = actuator_findings(GRANTED)
    assert realtime.found == "FIFO up to priority 70"
    assert nice.found == "down to -11"
    assert sets.found == "of processors 0-2,5"


def test_a_library_that_does_not_load_is_absent_with_its_own_words() -> None:
    found = installation.library("no_such_sound_library")
    assert found.status is Status.ABSENT
    assert "No module named" in found.found


def test_an_import_name_that_another_package_claims_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claims = {"controller": ["kapellmeister", "some-robot"]}
    monkeypatch.setattr(metadata, "packages_distributions", lambda: claims)
    found = installation.import_name("controller")
    assert (found.status, found.found) == (Status.REFUSED, "claimed by some-robot too")


def test_an_import_name_that_comes_from_elsewhere_is_refused() -> None:
    found = installation.import_name("json")
    assert found.status is Status.REFUSED
    assert found.found.startswith("comes from ")


def test_a_state_directory_need_not_exist_to_be_usable(tmp_path: Path) -> None:
    found = installation.state_directory(StateDirectory(tmp_path / "not" / "yet"))
    assert found.status is Status.WORKS
    assert list(tmp_path.iterdir()) == []


def test_a_running_controller_is_named_by_its_process(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path)
    with directory.lock():
        found = installation.state_directory(directory)
    assert found.status is Status.NOTE
    assert "a controller (process " in found.found


def test_a_remedy_is_printed_whole_in_a_narrow_terminal(report: DoctorReport) -> None:
    refused = Finding(
        name="real-time scheduling",
        status=Status.REFUSED,
        found="not permitted",
        remedy="grant CAP_SYS_NICE, or RLIMIT_RTPRIO (`rtprio 70` in /etc/security/limits.d)",
    )
    console = Console(width=80, file=io.StringIO())
    print_report(report.model_copy(update={"actuators": [refused]}), console)
    text = console.file.getvalue()  # type: ignore[attr-defined] # the file is a StringIO
    assert max(map(len, text.splitlines())) <= 80
    assert refused.remedy in " ".join(text.split())


def test_the_timer_frequency_is_read_from_the_kernels_own_options(tmp_path: Path) -> None:
    assert kernel.timer_frequency_hz(tmp_path) is None
    (tmp_path / "proc").mkdir()
    options = gzip.compress(b"# CONFIG_HZ_100 is not set\nCONFIG_HZ=250\nCONFIG_PREEMPT_NONE=y\n")
    (tmp_path / "proc" / "config.gz").write_bytes(options)
    assert kernel.timer_frequency_hz(tmp_path) == 250
    assert kernel.preemption_model(tmp_path, "#1 SMP") == "none"


def test_of_a_dynamic_pre_emption_model_the_chosen_one_counts(tmp_path: Path) -> None:
    write(tmp_path / "sys/kernel/debug/sched/preempt", "none voluntary (full) lazy\n")
    assert kernel.preemption_model(tmp_path, "#1 SMP PREEMPT_DYNAMIC") == "full"


def test_a_realtime_kernel_is_recognised(tmp_path: Path) -> None:
    assert kernel.preemption_model(tmp_path, "#1 SMP PREEMPT_RT") == "realtime"
    write(tmp_path / "sys/kernel/realtime", "1\n")
    assert kernel.preemption_model(tmp_path, "#1 SMP") == "realtime"


def test_a_kernel_that_does_not_tell_its_model_is_not_guessed_at(tmp_path: Path) -> None:
    assert kernel.preemption_model(tmp_path, "#1 SMP PREEMPT_DYNAMIC") is None


def test_versions_of_control_groups_are_told_apart(tmp_path: Path) -> None:
    groups = tmp_path / "sys/fs/cgroup"
    assert kernel.control_groups(tmp_path) == "none mounted"
    (groups / "cpu,cpuacct").mkdir(parents=True)
    assert kernel.control_groups(tmp_path) == "version 1"
    (groups / "unified").mkdir()
    assert kernel.control_groups(tmp_path) == "version 1, with version 2 beside it"
    write(groups / "cgroup.controllers", "cpu io\n")
    assert kernel.control_groups(tmp_path) == "version 2"


def test_a_program_is_found_although_the_kernel_cuts_its_name(tmp_path: Path) -> None:
    write(tmp_path / "proc/41/comm", "system76-schedu\n")
    write(tmp_path / "proc/42/comm", "tuned\n")
    names = ("rtkit-daemon", "tuned", "system76-scheduler")
    assert kernel.running(names, tmp_path) == ("tuned", "system76-scheduler")


def test_other_managers_are_named_with_what_they_do_to_threads(tmp_path: Path) -> None:
    write(tmp_path / "proc/41/comm", "rtkit-daemon\n")
    write(tmp_path / "proc/42/comm", "ananicy-cpp\n")
    write(tmp_path / "sys/kernel/sched_ext/root/ops", "lavd\n")
    first, second, third = neighbours.other_managers(tmp_path).found.split("; ")
    assert first.startswith("rtkit-daemon makes threads real-time on request")
    assert second.startswith("ananicy-cpp sets nice level and policy of programs")
    assert third.startswith("sched_ext runs lavd")
    assert neighbours.other_managers(tmp_path / "none").found == "none runs"


def test_an_audio_server_that_runs_is_named_with_the_plant_that_attaches_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel, "running", lambda names: tuple(names)[:1])
    found = [neighbours.pipeline(name, name, ("server",)).found for name in ("jack", "tape")]
    assert found == [
        "it runs; `kapellmeister run --plant jack` attaches to it",
        "it runs; `kapellmeister run --plant process --process server` attaches to it",
    ]


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """PipeWire's tools of a version, and a server that runs."""
    monkeypatch.setattr(kernel, "running", lambda names: tuple(names)[:1])
    monkeypatch.setattr(pipewire_tools, "missing_tool", lambda: None)
    monkeypatch.setattr(pipewire_tools, "version", lambda: (0, 3, 65))
    monkeypatch.setattr(pipewire_tools, "answers", lambda: True)
    return monkeypatch


def test_pipewire_is_told_with_its_version_what_counts_and_how_its_threads_run(
    tools: pytest.MonkeyPatch,
) -> None:
    assert neighbours.pipewire(("no-such-program",)).found == (
        "0.3.65, pw-profiler counts cycles, a server answers (no real-time thread); "
        "`kapellmeister run --plant pipewire` attaches to it"
    )
    how = Scheduling(os.SCHED_FIFO, 88, 0, frozenset({0, 1}))
    tools.setattr(neighbours.scheduling, "read", lambda thread: how)
    assert neighbours.scheduled([os.getpid()]) == "data threads: FIFO 88 on cpu 0,1"


def test_pipewire_that_does_not_answer_or_lacks_a_tool_says_what_to_do(
    tools: pytest.MonkeyPatch,
) -> None:
    tools.setattr(pipewire_tools, "answers", lambda: False)
    assert neighbours.pipewire().found == (
        "0.3.65, pw-profiler counts cycles, "
        "no server answers: start one, or name its folder in XDG_RUNTIME_DIR"
    )
    tools.setattr(pipewire_tools, "missing_tool", lambda: "pw-metadata")
    found = neighbours.pipewire()
    assert (found.status, found.found) == (Status.ABSENT, "pw-metadata is not installed")
    assert "pipewire-bin" in found.remedy


@pytest.mark.parametrize(
    ("budget_us", "status", "words"),
    [
        (950_000, Status.NOTE, "95% of the time"),
        (0, Status.REFUSED, "no time"),
        (-1, Status.REFUSED, "could stop the machine"),
        (None, Status.NOTE, "not told"),
    ],
)
def test_a_real_time_budget_is_refused_where_it_is_nothing_or_everything(
    budget_us: int | None, status: Status, words: str
) -> None:
    found = kernel_findings.realtime_budget(budget_us, 1_000_000)
    assert (found.status, words in found.found) == (status, True)
    assert bool(found.remedy) == (status is Status.REFUSED)


def test_the_budget_of_a_control_group_counts_where_the_kernel_asks_for_one(tmp_path: Path) -> None:
    group = tmp_path / "cpu.rt_runtime_us"
    assert kernel_findings.group_budget(False, group).found.startswith("not in this kernel")
    assert "not told" in kernel_findings.group_budget(True, group).found
    write(tmp_path / "cpu.rt_period_us", "1000000\n")
    write(group, "400000\n")
    assert kernel_findings.group_budget(True, group).found == "ours has 40% of the time"
    write(group, "0\n")
    refused = kernel_findings.group_budget(True, group)
    assert (refused.status, str(group) in refused.remedy) == (Status.REFUSED, True)


def test_a_kernel_tells_whether_real_time_is_budgeted_by_group(tmp_path: Path) -> None:
    assert not kernel.has_realtime_groups(tmp_path)
    (tmp_path / "proc").mkdir()
    options = gzip.compress(b"CONFIG_CGROUPS=y\nCONFIG_RT_GROUP_SCHED=y\n")
    (tmp_path / "proc" / "config.gz").write_bytes(options)
    assert kernel.has_realtime_groups(tmp_path)


# A process that may do nothing to any thread: without capabilities, and without the limits
# that would stand in for them.
UNPRIVILEGED = """
import encodings.ascii, json, os, resource
from controller.linux.permissions import permitted
from kapellmeister.machine.actuator_findings import actuator_findings
for limit in (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE):
    resource.setrlimit(limit, (0, 0))
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(json.dumps([each.model_dump() for each in actuator_findings(permitted())][:2]))
"""


def test_without_any_privilege_real_time_and_nice_levels_are_refused_with_the_remedy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    realtime, nice = map(Finding.model_validate, json.loads(done.stdout))
    assert (realtime.name, realtime.status) == ("real-time scheduling", Status.REFUSED)
    assert (nice.name, nice.status) == ("nice levels", Status.REFUSED)
    assert "RLIMIT_NICE" in nice.remedy
    budgets = ("CAP_SYS_NICE", "sched_rt_runtime_us", "real-time budget")
    assert any(word in realtime.remedy for word in budgets)

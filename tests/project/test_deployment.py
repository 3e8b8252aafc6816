"""The files under docs/deploy say what the program understands, and hold what they promise."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from controller.config.config import load_config
from controller.linux import scheduling
from kapellmeister.cli import app, with_all_named

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
ENTRYPOINT = DEPLOY / "entrypoint.sh"


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys are case-sensitive
    parser.read(DEPLOY / "kapellmeister.service", encoding="utf-8")
    return parser


def manifests() -> dict[str, Any]:
    text = (DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def instruction(name: str) -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^{name} (\[.+\])$", text, re.MULTILINE)
    return [str(word) for word in json.loads(found)]


def understood(arguments: list[str]) -> None:
    name, *rest = with_all_named(arguments)
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined] # a group
    command.make_context(name, rest)


def pod(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = manifests()[kind]["spec"]["template"]["spec"]
    return found


def controller_in(kind: str) -> dict[str, Any]:
    (found,) = (each for each in pod(kind)["containers"] if each["name"] == "kapellmeister")
    return dict(found)


def test_the_unit_runs_a_command_line_that_is_understood() -> None:
    program, *arguments = shlex.split(unit()["Service"]["ExecStart"])
    assert Path(program).name == "kapellmeister"
    understood(arguments)


def test_the_unit_ends_what_hangs_and_leaves_our_watchdog_alive() -> None:
    service = unit()["Service"]
    assert (service["Type"], service["KillMode"]) == ("notify", "process")
    assert int(service["WatchdogSec"]) > 2 * load_config().loop.interval_s


def test_the_unit_grants_one_capability_and_what_that_is_good_for() -> None:
    service = unit()["Service"]
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == "CAP_SYS_NICE"
    assert service["NoNewPrivileges"] == "yes"
    assert service["User"] != "root"
    hindrances = {"RestrictRealtime": "no", "PrivateUsers": "no", "ProtectProc": "default"}
    assert {key: service[key] for key in hindrances} == hindrances


def test_the_image_runs_a_command_line_that_is_understood_and_not_as_root() -> None:
    assert instruction("ENTRYPOINT") == [ENTRYPOINT.name]
    understood(instruction("CMD"))
    users = re.findall(r"^USER (\w+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert users[-1:] == ["kapellmeister"]


def test_both_ways_into_a_cluster_see_processes_and_may_schedule_their_threads() -> None:
    assert pod("Deployment")["shareProcessNamespace"] is True
    assert pod("DaemonSet")["hostPID"] is True
    for kind in ("Deployment", "DaemonSet"):
        granted = controller_in(kind)["securityContext"]
        assert granted["capabilities"] == {"drop": ["ALL"], "add": ["SYS_NICE"]}
        assert granted["allowPrivilegeEscalation"] is True
        assert granted["runAsNonRoot"] is True


def test_every_volume_that_is_mounted_exists() -> None:
    for kind in ("Deployment", "DaemonSet"):
        volumes = {each["name"] for each in pod(kind)["volumes"]}
        assert {each["name"] for each in controller_in(kind)["volumeMounts"]} <= volumes


def test_the_configuration_in_the_cluster_is_valid(tmp_path: Path) -> None:
    (text,) = manifests()["ConfigMap"]["data"].values()
    (tmp_path / "kapellmeister.toml").write_text(text, encoding="utf-8")
    assert load_config(tmp_path / "kapellmeister.toml").sidecar.processes == ("myrenderer",)


def test_a_link_in_the_text_leads_to_a_file() -> None:
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (DEPLOY / target).is_file()


# Stands in for the program: it pins a process to one processor, and waits for its end.
CONTROLLER = """#!{python} -P
import os, signal, sys, time
sys.path.insert(0, {root!r})
from controller.linux import scheduling
from controller.watchdog.lease import Lease
with Lease.start() as lease:
    (thread,) = scheduling.threads_of(int(sys.argv[1]))
    lease.register(thread)
    found = lease.originals()[thread].scheduling
    scheduling.write(thread, scheduling.Scheduling(os.SCHED_BATCH, 0, 0, found.cpus))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    print(os.getpid(), flush=True)
    time.sleep(20.0)
"""


@pytest.mark.live
@pytest.mark.parametrize(
    ("ends", "status"), [(signal.SIGKILL, 128 + signal.SIGKILL), (signal.SIGTERM, 7)]
)
def test_a_container_lasts_until_all_is_restored(
    tmp_path: Path, ends: signal.Signals, status: int
) -> None:
    program = tmp_path / "kapellmeister"
    program.write_text(CONTROLLER.format(python=sys.executable, root=str(ROOT)), encoding="utf-8")
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with (
        subprocess.Popen(["sleep", "30"]) as foreign,
        subprocess.Popen(
            [ENTRYPOINT, str(foreign.pid)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PATH": path},
        ) as first,
    ):
        (thread,) = scheduling.threads_of(foreign.pid)
        assert first.stdout is not None
        controller = int(first.stdout.readline())
        assert scheduling.read(thread).policy == os.SCHED_BATCH
        os.kill(first.pid if ends is signal.SIGTERM else controller, ends)
        started_s = time.monotonic()
        assert first.wait(10.0) == status
        assert scheduling.read(thread).policy == os.SCHED_OTHER
        assert time.monotonic() - started_s < 4.0
        foreign.kill()

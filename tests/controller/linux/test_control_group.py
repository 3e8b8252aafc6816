"""Programs that are named by the control group they are in."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from proc_tree import put_process

from controller.clock import WallClock
from controller.config.config import Config, SidecarSection, load_config
from controller.errors import ConfigurationError
from controller.linux.control_group import is_within
from controller.linux.permissions import permitted
from controller.linux.process_id import ProcessId
from controller.plants.plant import Surroundings
from controller.plants.process.plant import ProcessPlant
from controller.plants.programs.processes import named
from controller.watchdog.lease import Lease
from kapellmeister.running.controlled.access import tell_missing

V1 = """\
9:name=systemd:/system.slice/pipewire.service
4:memory:/system.slice/pipewire.service/sub
1:cpu,cpuacct:/
0::/
"""
V2 = "0::/user.slice/user-1000.slice/user@1000.service/session.slice/wire:plumber.service\n"
MOUNTED = {"version 1": Path("/sys/fs/cgroup/pids"), "version 2": Path("/sys/fs/cgroup/unified")}


@pytest.mark.parametrize(
    ("group", "listing"),
    [
        ("cgroup:/system.slice/pipewire.service", V1),
        ("cgroup:/system.slice/pipewire.service/sub", V1),
        ("cgroup:/system.slice", V1),
        ("cgroup:/user.slice", V2),
        (f"cgroup:{V2.strip().removeprefix('0::')}", V2),
    ],
)
def test_a_process_is_in_its_group_and_in_those_above(group: str, listing: str) -> None:
    assert is_within([group], listing)


@pytest.mark.parametrize(
    "group", ["cgroup:/system.slice/pipewire", "cgroup:/pipewire.service", "cgroup:/system.slice/x"]
)
def test_a_process_is_in_no_group_whose_name_merely_begins_like_it(group: str) -> None:
    assert not is_within([group], V1)


def test_a_process_that_ended_meanwhile_is_in_no_group() -> None:
    assert not is_within(["cgroup:/system.slice"], "")


def test_a_group_is_looked_for_beside_names(tmp_path: Path) -> None:
    for pid, comm, listing in (
        (901, "pipewire", V1),
        (902, "pw", V2),
        (903, "other", "0::/"),
    ):
        put_process(tmp_path, pid, comm, cgroup=listing)
    assert set(named(["cgroup:/system.slice"], tmp_path)) == {ProcessId(901, 1)}
    assert set(named(["cgroup:/user.slice", "other"], tmp_path)) == {
        ProcessId(902, 1),
        ProcessId(903, 1),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        "cgroup:",
        "cgroup:/",
        "cgroup:system.slice",
        "cgroup:/a/",
        "cgroup:/a/../..",
        "cgroup:/./x",
        "cgroup://x",
        "cgroup:/a//x",
        "cgroup:/a/x ",
        "cgroup:/ a",
    ],
)
@pytest.mark.parametrize("key", ["processes", "background"])
def test_a_group_that_cannot_be_one_is_told_in_one_line(
    tmp_path: Path, key: str, wrong: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f"[sidecar]\n{key} = ['{wrong}']\n")
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    assert str(caught.value) == (
        f"{path}: sidecar.{key}.0: not a control group below the root, such as "
        f"cgroup:/system.slice/x (found '{wrong}'); `kapellmeister config` explains each key"
    )


@pytest.mark.parametrize("key", ["processes", "background"])
def test_a_group_without_processes_at_the_start_is_told_once(key: str) -> None:
    told: list[str] = []
    sidecar = SidecarSection(**{key: ("cgroup:/no/such", "no such program")})
    tell_missing(sidecar, told.append)
    assert told == [
        "no process is in cgroup:/no/such yet; it is looked for as long as the run lasts"
    ]


@contextmanager
def group(version: str) -> Iterator[Path]:
    """A control group with another below it; skips where none can be made."""
    top = MOUNTED[version]
    if version == "version 2" and not top.exists():
        top = top.parent
    made = top / "kapellmeister-test"
    try:
        (made / "below").mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"no control group of {version} can be made here: {error.strerror}")
    try:
        yield made
    finally:
        (made / "below").rmdir()
        made.rmdir()


@pytest.mark.live
@pytest.mark.parametrize("version", MOUNTED)
def test_a_group_that_is_empty_at_first_fills_and_empties_again(version: str) -> None:
    with group(version) as made, Lease() as lease:
        sidecar = SidecarSection(processes=("cgroup:/kapellmeister-test",))
        config = Config.model_construct(sidecar=sidecar)
        plant = ProcessPlant(Surroundings(config, WallClock(), lease, permitted()))
        assert plant.observe().events == ()
        with subprocess.Popen(["sleep", "60"]) as player:
            (made / "below" / "cgroup.procs").write_text(str(player.pid))
            plant._search.renew()
            assert plant.observe().events == ("process: a program runs",)
            assert [each.pid for each in plant._players] == [player.pid]
            player.kill()
        plant._search.renew()
        assert plant.observe().events == ("process: none of the programs runs any more",)
        plant.close()

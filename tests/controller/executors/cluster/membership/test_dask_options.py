from __future__ import annotations

import pytest

from controller.errors import MembershipError
from controller.executors.cluster.membership.dask_options import (
    check_address,
    check_exposure,
    job_options,
    local_options,
)


def test_a_job_has_one_worker_whatever_was_asked_for() -> None:
    given = {"log_directory": "/logs", "shared_temp_directory": "/keys"}
    assert job_options({"processes": 8, "n_workers": 4, **given}) == {
        "log_directory": "/logs",
        "shared_temp_directory": "/keys",
        "processes": 1,
        "n_workers": 0,
        "cores": 1,
        "memory": "1GiB",
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
        "worker_extra_args": ["--dashboard-address", "127.0.0.1:0"],
    }


def test_what_is_configured_of_a_job_is_kept() -> None:
    options = job_options({"queue": "audio", "cores": 4, "worker_extra_args": ["--preload", "x"]})
    assert (options["queue"], options["cores"], options["worker_extra_args"][-2:]) == (
        "audio",
        4,
        ["--preload", "x"],
    )


def test_a_local_cluster_starts_no_worker_by_itself() -> None:
    assert local_options({"n_workers": 4})["n_workers"] == 0


@pytest.mark.parametrize(
    "options",
    [
        {"interface": "lo"},
        {"host": "127.0.0.1"},
        {"host": "::1"},
        {"scheduler_options": {"host": "localhost"}},
        {"interface": "eth0", "security": True},
    ],
)
def test_what_only_this_machine_or_a_certificate_reaches_may_be_opened(options) -> None:
    check_exposure(options)


@pytest.mark.parametrize(
    "options", [{}, {"security": True}, {"interface": "eth0"}, {"host": "0.0.0.0"}]
)
def test_what_anybody_could_reach_is_refused_with_a_remedy(options) -> None:
    with pytest.raises(MembershipError, match="security = true"):
        check_exposure(options)


@pytest.mark.parametrize(
    "address",
    ["tls://10.0.0.7:4000", "tcp://127.0.0.1:4000", "tcp://[::1]:4000", "tcp://localhost:1"],
)
def test_a_scheduler_behind_a_certificate_or_on_this_machine_is_accepted(address) -> None:
    check_address(address)


@pytest.mark.parametrize("address", ["tcp://10.0.0.7:4000", "ws://studio:80"])
def test_an_open_scheduler_of_any_cluster_is_refused(address) -> None:
    with pytest.raises(MembershipError, match=r"its scheduler listens on .* openly"):
        check_address(address)


def test_what_jobs_print_and_need_is_kept_in_the_home_of_the_user(monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/anna/state")
    options = job_options({})
    assert options["log_directory"] == "/home/anna/state/kapellmeister/jobs"
    assert options["shared_temp_directory"] == "/home/anna/state/kapellmeister/jobs"

"""Which executor the options of an experiment name."""

from __future__ import annotations

import pytest

from controller.errors import ConfigurationError, MissingExtraError
from kapellmeister.experiments.job_executor import job_executor
from simulators.jobs.dask import executor as dask_executor
from simulators.jobs.dask.executor import DaskCluster, LocalDaskCluster
from simulators.jobs.inline import Inline

HERE = Inline()


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(dask_executor, "find_spec", lambda name: name)


@pytest.mark.usefixtures("installed")
def test_local_has_as_many_workers_as_are_asked_for_and_an_address_those_that_it_has():
    assert job_executor(None, HERE, 2) is HERE
    assert job_executor("local", HERE, 2) == LocalDaskCluster(2)
    assert job_executor("tcp://farm:8786", HERE) == DaskCluster("tcp://farm:8786")
    with pytest.raises(ConfigurationError, match="--jobs: the cluster has the workers that it has"):
        job_executor("tcp://farm:8786", HERE, 2)


@pytest.mark.parametrize("address", ["local", "tcp://farm:8786"])
def test_without_the_extra_its_name_is_said_before_any_work(monkeypatch, address):
    monkeypatch.setattr(dask_executor, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kapellmeister\[dask\]'"):
        job_executor(address, HERE)

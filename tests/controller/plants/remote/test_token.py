"""The token of a service: where it comes from, and who gets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_service import FakeService, controlled
from fakes import Scripted, action

from controller.config.remote import RemoteSection
from controller.errors import ConfigurationError
from controller.plants.remote.token import read_token


def test_a_token_goes_with_each_request_and_into_nothing_that_is_kept(monkeypatch):
    monkeypatch.setenv("SERVICE_TOKEN", "s3cret\n")
    service = FakeService()
    with controlled(Scripted(action("nodes", 2)), service, token_env="SERVICE_TOKEN") as made:
        made.ticks(3)
        assert "s3cret" not in repr(made.rig.recorder.ticks)
    assert all(each["Authorization"] == "Bearer s3cret" for each in service.headers)


def test_a_token_file_that_others_may_read_is_refused(tmp_path: Path):
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    path.chmod(0o640)
    with pytest.raises(ConfigurationError) as caught:
        read_token(RemoteSection(token_file=str(path)))
    assert str(caught.value) == (
        f"{path}: remote.token_file: others may read it (mode 640); chmod 600 {path}"
    )
    path.chmod(0o600)
    assert read_token(RemoteSection(token_file=str(path))) == "s3cret"


def test_a_token_that_is_not_there_is_missed_in_one_line(tmp_path: Path):
    for section in ({"token_env": "NO_SUCH_TOKEN"}, {"token_file": str(tmp_path / "none")}):
        with pytest.raises(ConfigurationError) as caught:
            read_token(RemoteSection.model_validate(section))
        assert "\n" not in str(caught.value)
    broken = tmp_path / "token"
    broken.write_text("a\nb: c")
    broken.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds what no header can carry"):
        read_token(RemoteSection(token_file=str(broken)))

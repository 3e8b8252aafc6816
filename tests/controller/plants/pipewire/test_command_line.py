"""The version of PipeWire's tools, and the command that forces a quantum."""

from __future__ import annotations

import pytest

from controller.plants.pipewire import command_line as pipewire_tools


def test_the_version_is_that_of_the_library_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "pw-dump\nCompiled with libpipewire 0.3.60\nLinked with libpipewire 1.0.5\n"
    monkeypatch.setattr(pipewire_tools, "_output", lambda _: said)
    assert pipewire_tools.version() == (1, 0, 5)
    monkeypatch.setattr(pipewire_tools, "_output", lambda _: "")
    assert pipewire_tools.version() == (0,)


def test_a_quantum_is_forced_where_the_server_is_whoever_runs_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PIPEWIRE_REMOTE", raising=False)
    monkeypatch.delenv("PIPEWIRE_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    place, setting = "XDG_RUNTIME_DIR=/run/user/1000", ("0", "clock.force-quantum", "128")
    assert pipewire_tools.forcing(128) == ("env", place, "pw-metadata", "-n", "settings", *setting)

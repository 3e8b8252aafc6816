from __future__ import annotations

from pathlib import Path

import pytest

from controller.linux import obstacles, permissions


def test_without_throttling_real_time_is_used_only_where_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    granted = permissions.Permissions(
        realtime=True, nice=True, priority_max=70, cpus=frozenset({0})
    )
    monkeypatch.setattr(permissions, "_try_on", lambda _: granted)
    monkeypatch.setattr(obstacles, "REALTIME_BUDGET", tmp_path / "sched_rt_runtime_us")
    obstacles.REALTIME_BUDGET.write_text("-1\n", encoding="ascii")
    refused = permissions.permitted()
    assert (refused.realtime, refused.priority_max, refused.nice) == (False, 0, True)
    assert "sysctl kernel.sched_rt_runtime_us=950000" in refused.why
    assert "sidecar.realtime_without_throttling" in refused.why
    assert permissions.permitted(unthrottled=True) == granted
    obstacles.REALTIME_BUDGET.write_text("950000\n", encoding="ascii")
    assert permissions.permitted() == granted

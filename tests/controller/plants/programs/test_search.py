"""When processes are searched for again."""

from __future__ import annotations

from controller.plants.programs.search import Search


def test_processes_are_looked_for_now_and_then_or_when_something_changed(monkeypatch):
    now_s, looked = [100.0], []
    monkeypatch.setattr("controller.plants.programs.search.time.monotonic", lambda: now_s[0])
    search = Search(lambda: (looked.append(now_s[0]) or 7,))
    assert [search.processes(), search.processes()] == [(7,), (7,)]
    now_s[0] = 105.0
    search.processes()
    search.renew()
    search.processes()
    assert looked == [100.0, 105.0, 105.0]

"""Who opens the live page late is shown what was, and no more than is kept."""

from __future__ import annotations

from typing import Any

from controller.instruments.dashboard.history import ALARMS, DECISIONS, POINTS, History

RUN = {"plant": "builtin", "interval_s": 1.0}


def tick(number: int, **told: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"decisions": [], "verdicts": [], "alarms": []}
    return {"number": number, "point": {"time_s": float(number)}, **nothing, **told}


def decided(*identifiers: str) -> list[dict[str, Any]]:
    return [{"id": each, "verdict": None} for each in identifiers]


def alarm(time_s: float, kind: str) -> dict[str, Any]:
    return {"time_s": time_s, "text": f"{kind}!", "kind": kind}


def test_before_the_first_tick_there_is_only_what_runs() -> None:
    nothing: list[object] = []
    empty = {"points": nothing, "decisions": nothing, "alarms": nothing, "last": None}
    assert History(RUN).snapshot() == {"run": RUN, **empty}


def test_a_point_bears_the_number_of_its_tick_so_that_a_dropped_one_shows() -> None:
    history = History(RUN)
    history.add(tick(1))
    history.add(tick(3))
    assert [each["number"] for each in history.snapshot()["points"]] == [1, 3]


def test_a_verdict_is_written_beside_its_decision_and_beside_no_other() -> None:
    history = History(RUN)
    history.add(tick(1, decisions=decided("1-nodes", "1-batch_size")))
    history.add(tick(2, verdicts=[{"id": "1-nodes", "verdict": "confirmed"}]))
    history.add(tick(3, verdicts=[{"id": "0-nodes", "verdict": "rolled back"}]))
    first, second = history.snapshot()["decisions"]
    assert first["verdict"] == {"id": "1-nodes", "verdict": "confirmed"}
    assert second["verdict"] is None


def test_a_run_of_days_is_kept_for_fifteen_minutes_and_no_longer() -> None:
    history = History(RUN)
    for number in range(2000):
        alarms = [alarm(number, f"kind {number}")]
        history.add(tick(number, decisions=decided(f"{number}-nodes"), alarms=alarms))
    whole = history.snapshot()
    assert [each["number"] for each in whole["points"]] == list(range(1100, 2000))
    assert whole["decisions"][-1]["id"] == "1999-nodes"
    assert (len(whole["decisions"]), len(whole["alarms"])) == (DECISIONS, ALARMS)


def test_quick_ticks_are_bounded_by_number_and_slow_ones_are_kept_at_all() -> None:
    quick, slow = History(RUN | {"interval_s": 0.05}), History(RUN | {"interval_s": 3600.0})
    for number in range(POINTS + 10):
        quick.add(tick(number))
    slow.add(tick(1))
    assert len(quick.snapshot()["points"]) == POINTS
    assert len(slow.snapshot()["points"]) == 1


def test_an_alarm_that_lasts_is_kept_once_and_ousts_no_other() -> None:
    history = History(RUN)
    history.add(tick(1, alarms=[alarm(1.0, "full"), alarm(1.0, "held")]))
    for number in range(2, 500):
        history.add(tick(number, alarms=[alarm(float(number), "held")]))
    full, held = history.snapshot()["alarms"]
    assert (full["text"], full["times"], full["since_s"]) == ("full!", 1, 1.0)
    assert (held["times"], held["since_s"], held["time_s"]) == (499, 1.0, 499.0)

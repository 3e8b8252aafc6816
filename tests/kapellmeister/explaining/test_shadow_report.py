from __future__ import annotations

import contextlib
import io
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeDiagnostician, Rig, Scripted, action
from rich.console import Console
from typer.testing import CliRunner

from controller.errors import ConfigurationError, JournalError
from controller.journal.journal import Journal
from controller.plain_json import to_plain
from kapellmeister.cli import app
from kapellmeister.explaining.hindsight import Shadow, ShadowTick, chance_kept, shares_kept
from kapellmeister.explaining.shadow_report import shadow_report
from kapellmeister.explaining.shadow_report_text import print_shadow_report
from kapellmeister.terminal.duration import seconds
from policies.observation import BlockCounts, Value
from policies.proposal import (
    Action,
    Change,
    Effect,
    Expectation,
    Verdict,
    Verification,
)

CONFIG = '{"objective": {"target_miss_rate": 0.001}}'


def change(knob="nodes", value=2, changed=0.0, unchanged=0.05, quantity="miss_rate", due_s=0.0):
    effect = Effect(quantity, "of the blocks", (Expectation(10.0, changed, unchanged),))
    return Change("c1", Action(knob, value, "because", effect), 1, due_s, due_s)


def shadow_tick(time_s, missed=0, of=100, helpful=(), changes=(), load=10.0):
    blocks = BlockCounts(on_time=of - missed, late=missed)
    return ShadowTick(time_s, 1.0, load, blocks, tuple(helpful), tuple(changes))


def plain(value):
    return to_plain(Value(value))


def seen(*shadow_ticks, target_miss_rate=0.001):
    shadow = Shadow(target_miss_rate)
    for each in shadow_ticks:
        shadow.add(each)
    return shadow


def verification(measured, verdict=Verdict.CONFIRMED, changed=0.0, unchanged=0.1):
    expected = Expectation(10.0, changed, unchanged)
    return Verification("c1", "nodes", verdict, "miss_rate", expected, measured, "")


def test_what_a_change_would_have_spared_begins_when_it_is_due():
    shadow = seen(
        shadow_tick(1, 8, helpful=["nodes"], changes=[change(due_s=3.0)]),
        shadow_tick(2, 8, helpful=["nodes"]),
        shadow_tick(3, 6, helpful=["nodes"]),
        shadow_tick(4, 4, helpful=["nodes"]),
    )
    (standing,) = shadow.wanted
    assert (standing.submitted, standing.missed) == (200, 10)
    assert shadow.spared([standing]) == 10.0


def test_half_of_it_is_spared_where_half_is_promised():
    promised = change(changed=2.0, unchanged=4.0, quantity="audio.xruns_per_s")
    shadow = seen(shadow_tick(1, changes=[promised]), shadow_tick(2, 6, helpful=["nodes"]))
    assert shadow.spared(shadow.wanted) == 3.0


def test_what_is_missed_while_nothing_is_wrong_would_be_missed_in_any_case():
    calm = [shadow_tick(time_s, 1, of=100) for time_s in range(2, 6)]
    bad = shadow_tick(6, 20, helpful=["nodes"])
    shadow = seen(shadow_tick(1, changes=[change()]), *calm, bad, target_miss_rate=0.01)
    calm_miss_rate = 4 / 500
    assert shadow.spared(shadow.wanted) == pytest.approx(20 - 100 * calm_miss_rate)


def test_misses_of_another_cause_are_not_credited():
    shadow = seen(shadow_tick(1, changes=[change()]), shadow_tick(2, 9, helpful=["batch_size"]))
    (standing,) = shadow.wanted
    assert standing.missed == 9
    assert shadow.spared([standing]) == 0.0


def test_each_miss_is_credited_once_to_the_cheapest_knob():
    both = [change("thread_classes", 2), change("nodes", 2)]
    shadow = seen(
        shadow_tick(1, changes=both), shadow_tick(2, 9, helpful=["thread_classes", "nodes"])
    )
    threads, nodes = shadow.wanted
    assert (shadow.spared([threads]), shadow.spared([nodes])) == (9.0, 0.0)
    assert threads.wrong() is None
    assert "needless" in (nodes.wrong() or "")


def test_a_shadow_that_goes_on_wanting_the_same_wants_one_change():
    shadow = seen(*[shadow_tick(time_s, changes=[change()]) for time_s in range(5)])
    (standing,) = shadow.wanted
    assert standing.wanted == 5


def test_another_value_ends_the_change_before():
    shadow = seen(
        shadow_tick(1, changes=[change(value=2)]),
        shadow_tick(2, 5, helpful=["nodes"], changes=[change(value=3)]),
        shadow_tick(3, 7, helpful=["nodes"]),
    )
    two, three = shadow.wanted
    assert (two.until_s, shadow.spared([two]), shadow.spared([three])) == (2, 5.0, 7.0)


def test_a_saving_that_the_load_did_not_allow_was_wrong():
    curve = (Expectation(10.0, 0.0005, 0.0), Expectation(20.0, 0.02, 0.0005))
    saving = Change(
        "c1", Action("nodes", 1, "idle", Effect("miss_rate", "of the blocks", curve)), 2, 0.0, 0.0
    )
    shadow = seen(
        shadow_tick(1, changes=[saving]), shadow_tick(2, load=10.0), shadow_tick(3, load=20.0)
    )
    (standing,) = shadow.wanted
    assert standing.wrong() == "too little for the load that came in 1 intervals"
    assert standing.added == pytest.approx(100 * 0.0005 + 100 * 0.0195)


def test_of_a_change_that_was_never_due_nothing_is_known():
    shadow = seen(shadow_tick(1, 9, helpful=["nodes"], changes=[change(due_s=9.0)]))
    (standing,) = shadow.wanted
    assert (standing.submitted, standing.wrong()) == (0, None)


def test_a_saving_that_stands_takes_no_credit_from_a_knob_that_promises():
    saving = change("thread_classes", 1, changed=0.0, unchanged=0.0)
    both = [saving, change("nodes", 2)]
    shadow = seen(
        shadow_tick(1, changes=both), shadow_tick(2, 9, helpful=["thread_classes", "nodes"])
    )
    assert [shadow.spared([each]) for each in shadow.wanted] == [0.0, 9.0]


def test_what_a_promise_is_about_is_measured_where_nobody_counts_blocks():
    delay = "audio.run_delay_per_wake_ms"
    promised = change(changed=0.4, unchanged=2.0, quantity=delay)
    quiet = ShadowTick(1.0, 1.0, None, None, (), (promised,))
    late = [replace(quiet, time_s=t, changes=(), readings={delay: plain(t)}) for t in (2.0, 4.0)]
    shadow = seen(quiet, *late)
    (standing,) = shadow.wanted
    assert (standing.quantities, standing.wrong()) == ([2.0, 4.0], None)


def test_a_saving_that_the_load_allowed_was_right():
    saving = change(value=1, changed=0.0005, unchanged=0.0)
    shadow = seen(shadow_tick(1, changes=[saving]), shadow_tick(2))
    assert [each.wrong() for each in shadow.wanted] == [None]


@pytest.mark.parametrize(
    ("judged", "shares"),
    [
        (verification(0.0), (1.0,)),
        (verification(0.05, Verdict.FELL_SHORT), (0.5,)),
        (verification(0.3, Verdict.ROLLED_BACK), (0.0,)),
        (verification(None, Verdict.REFUSED), (0.0,)),
        (verification(None, Verdict.UNDECIDED), ()),
        (verification(0.0, changed=0.1, unchanged=0.1), ()),
    ],
)
def test_a_judged_change_tells_how_far_its_promise_was_kept(judged, shares):
    assert shares_kept([judged]) == pytest.approx(shares)


def test_trials_narrow_what_may_be_believed():
    untried, often = chance_kept(()), chance_kept((1.0,) * 20)
    assert untried[0] < 0.01
    assert untried[1] == pytest.approx(0.5)
    assert untried[2] > 0.99
    assert often[0] > 0.9
    assert chance_kept((0.0,) * 20)[2] < 0.1


def test_the_interval_holds_the_share_that_is_true():
    """Nine times in ten, by its own claim, over promises kept with chances of all kinds."""
    import numpy as np

    generator = np.random.default_rng(1)
    true = generator.beta(0.5, 0.5, 2000)
    held = 0
    for share in true:
        low, _, high = chance_kept((generator.random(8) < share).astype(float).tolist())
        held += low <= share <= high
    assert held / true.size == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(("text", "expected"), [("90s", 90.0), ("1.5h", 5400.0), ("7d", 604_800.0)])
def test_a_duration_is_read(text, expected):
    assert seconds("--shadow-report", text) == expected


@pytest.mark.parametrize("text", ["a week", "9" * 400 + "d", "11000d"])
def test_what_is_no_sensible_duration_is_refused(text):
    with pytest.raises(ConfigurationError, match="--shadow-report"):
        seconds("--shadow-report", text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def play(path: Path, rig: Rig, ticks: int) -> None:
    with Journal.open(path) as journal:
        journal._now_s = rig.clock.now_s
        journal.start_run("fake", "scripted", CONFIG)
        for _ in range(ticks):
            journal.record(rig.tick(), rig.loop.saved)
        journal.end_run("{}")


class NodesHelp(FakeDiagnostician):
    def diagnose(self, observation, forecast, settings, knobs):
        diagnosis = super().diagnose(observation, forecast, settings, knobs)
        return replace(diagnosis, helpful_knobs=("nodes",))


def missing(**options) -> Rig:
    rig = Rig(Scripted(action("nodes", 2)), diagnostician=NodesHelp(), **options)
    rig.clock.time_s = time.time() - 100.0
    rig.plant.miss_share = lambda values, load: 0.04 if values["nodes"] == 1 else 0.0
    return rig


def printed(path: Path, last_s: float = 600.0) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_shadow_report(shadow_report(path, last_s), console)
    return console.file.getvalue()


def test_a_run_in_shadow_is_reported(path):
    play(path, missing(shadow=True), 10)
    (plant,) = shadow_report(path, 600.0).plants
    (knob,) = plant.knobs
    assert (plant.plant, plant.policy, plant.runs) == ("fake", "scripted", (1,))
    assert (knob.knob, knob.turns[0].turn, knob.trials) == ("nodes", "1 -> 2", 0)
    assert knob.spared is not None
    assert knob.spared.low < knob.spared.median < knob.spared.high <= knob.curable


def test_trials_on_the_same_plant_narrow_the_interval(path):
    play(path, missing(shadow=True), 10)
    (before,) = shadow_report(path, 600.0).plants[0].knobs
    play(path, missing(), 10)
    (after,) = shadow_report(path, 600.0).plants[0].knobs
    assert (before.trials, after.trials) == (0, 1)
    assert before.spared is not None
    assert after.spared is not None
    assert after.spared.low > before.spared.low


def test_a_run_that_acted_is_no_shadow(path):
    play(path, missing(), 10)
    assert shadow_report(path, 600.0).plants == ()
    assert "No run was in shadow" in printed(path)


def test_what_was_long_ago_is_left_out(path):
    play(path, missing(shadow=True), 10)
    assert shadow_report(path, 10.0).plants == ()


def test_the_text_says_what_a_person_decides_by(path):
    play(path, missing(shadow=True), 10)
    text = printed(path)
    assert "--act nodes" in text
    assert "nine chances in ten" in " ".join(text.split())
    assert "none of 1 change wrong" in text
    assert max(map(len, text.splitlines())) <= 80


def test_blocks_that_nobody_counts_are_not_called_none(path):
    rig = missing(shadow=True)
    observe = rig.plant.observe
    rig.plant.observe = lambda: replace(observe(), blocks=None)
    play(path, rig, 10)
    (plant,) = shadow_report(path, 600.0).plants
    assert plant.blocks is None
    assert all(each.spared is None for each in plant.knobs)
    assert not any("wrong" in line for line in printed(path).splitlines())


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE runs SET config = 'x'",
        "UPDATE runs SET config = '[]'",
        "UPDATE runs SET config = '{}'",
        "UPDATE runs SET ended_at_s = 'late'",
        "UPDATE runs SET summary = '{'",
    ],
)
def test_a_damaged_run_is_told_in_one_line(path, damage):
    play(path, missing(shadow=True), 3)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(damage)
        database.commit()
    with pytest.raises(JournalError, match="run 1 cannot be read"):
        shadow_report(path, 600.0)


def test_no_journal_is_said_in_one_line(tmp_path):
    with pytest.raises(JournalError, match="no journal"):
        shadow_report(tmp_path / "none.sqlite3", 600.0)


def test_the_command_refuses_what_contradicts_itself(tmp_path):
    arguments = ["explain", "--shadow-report", "7d", "--last", "3", "--state-dir", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, ConfigurationError)

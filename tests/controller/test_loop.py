"""The loop against a fake plant and a fake clock."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from fakes import Broken, FakeClock, FakePlant, Rig, Scripted, action, resumed

from controller.errors import PlantError, ReentryError
from policies.forecast import Forecast
from policies.knobs import KnobState
from policies.observation import Missing, Value
from policies.proposal import Expectation, Proposal, Verdict


def test_shadow_decides_and_records_and_turns_nothing():
    rig = Rig(Scripted(action("nodes", 2)), shadow=True)
    ticks = rig.ticks(6)
    assert ticks[0].shadow
    assert ticks[0].changes[0].action.value == 2
    assert ticks[0].states["nodes"] == KnobState(planned=2, requested=None, observed=1)
    assert rig.plant.applied == []
    assert all(tick.verifications == () for tick in ticks)


def test_the_loop_cannot_be_entered_from_within():
    rig = Rig(Scripted())
    rig.plant.during_observe = rig.loop.tick
    with pytest.raises(ReentryError):
        rig.tick()
    rig.plant.during_observe = lambda: None
    assert rig.tick().number == 2


def test_run_ticks_at_whole_intervals_until_the_plant_ends():
    rig = Rig(Scripted())
    rig.plant.ends_at_s = 1003.0
    rig.loop.run()
    assert [tick.time_s for tick in rig.recorder.ticks] == [1001.0, 1002.0, 1003.0]


def test_run_ends_when_told_to():
    rig = Rig(Scripted())
    rig.loop.run(lambda: rig.clock.time_s >= 1003.0)
    assert [tick.time_s for tick in rig.recorder.ticks] == [1001.0, 1002.0]


@pytest.mark.parametrize(("duration_s", "ticks"), [(0.5, 1), (1.0, 1), (2.0, 2), (2.5, 3)])
def test_a_run_of_so_many_seconds_has_a_tick_for_each(duration_s, ticks):
    rig = Rig(Scripted())
    rig.loop.run(duration_s=duration_s)
    assert [tick.time_s for tick in rig.recorder.ticks] == [1001.0, 1002.0, 1003.0][:ticks]


def test_a_tick_that_overruns_is_counted_and_the_ticks_it_ran_into_are_skipped():
    rig = Rig(Scripted())
    rig.plant.ends_at_s = 1007.0

    def dawdle_once():
        rig.clock.time_s += 2.5 if rig.clock.time_s == 1002.0 else 0.0

    rig.plant.during_observe = dawdle_once
    rig.loop.run()
    assert [tick.time_s for tick in rig.recorder.ticks] == [1001.0, 1004.5, 1005.0, 1006.0, 1007.0]
    assert [tick.overruns for tick in rig.recorder.ticks] == [0, 0, 1, 1, 1]
    assert [tick.duration_ms for tick in rig.recorder.ticks] == [0.0, 2500.0, 0.0, 0.0, 0.0]
    assert rig.diagnostician.tracked[1] == ("tick", 2500.0)


def test_a_tick_that_takes_exactly_its_interval_has_not_overrun():
    rig = Rig(Scripted())
    rig.plant.ends_at_s = 1004.0

    def take_a_second():
        rig.clock.time_s += 1.0

    rig.plant.during_observe = take_a_second
    rig.loop.run()
    assert [tick.overruns for tick in rig.recorder.ticks] == [0, 0, 0]


def test_a_plant_that_is_gone_ends_the_run():
    rig = Rig(Scripted())

    def vanish():
        raise PlantError("fake", "it has ended", "start it")

    rig.plant.during_observe = vanish
    with pytest.raises(PlantError, match="it has ended"):
        rig.loop.run()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ZeroDivisionError("by zero"), "raised ZeroDivisionError"),
        (None, "raised TypeError"),
        ((None, None), "returned a NoneType, not a Proposal"),
        ((Proposal((action("nodse", 2),)), None), "a knob 'nodse' that this plant has not"),
        ((Proposal((action("nodes", 2.0),)), None), "nodes to 2.0, which is not of its type"),
        ((Proposal((action("nodes", True),)), None), "nodes to True, which is not of its type"),
        ((Proposal((action("batch_size", "8"),)), None), "batch_size to '8'"),
        ((Proposal((action("thread_classes", 1),)), None), "thread_classes to 1"),
        ((Proposal((action("nodes", 2, changed=math.nan),)), None), "no prediction"),
        ((Proposal((action("nodes", 2, changed=-1.0),)), None), "no prediction"),
        ((Proposal((action("nodes", 2, curve=()),)), None), "no prediction"),
        (
            (
                Proposal(
                    (action("nodes", 2, curve=(Expectation(9.0, 0, 0), Expectation(1.0, 0, 0))),)
                ),
                None,
            ),
            "no prediction",
        ),
        ((Proposal((action("nodes", 2),)), {1, 2}), "raised TypeError"),
        ((Proposal((action("nodes", 2),)), math.inf), "raised ValueError"),
    ],
)
def test_a_policy_that_answers_nonsense_raises_an_alarm_and_turns_nothing(answer, words):
    rig = Rig(Broken(answer))
    tick = rig.ticks(2)[1]
    assert words in tick.alarms[0]
    assert "\n" not in tick.alarms[0]
    assert tick.changes == ()
    assert rig.plant.applied == []
    assert rig.loop.saved()["policy"] == {"broken": None}


def test_a_warning_from_elsewhere_is_an_alarm_for_as_long_as_it_stands():
    warnings = iter((None, "processor 1 starves", None))
    rig = Rig(Scripted(), warn=lambda: next(warnings))
    assert [tick.alarms for tick in rig.ticks(3)] == [(), ("processor 1 starves",), ()]


class BrokenForecaster:
    name = "broken"

    def __init__(self, answer, saved=None):
        self.answer = answer
        self.remembered = saved

    def update(self, time_s, reading):
        pass

    def predict(self, horizon_s, step_s):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def fit_task(self):
        return None

    def saved(self):
        return self.remembered

    def resume(self, saved):
        raise KeyError("not mine")


def paths(*shape, fill=1.0):
    return Forecast(np.full(shape, fill), 1.0, 0.0, "broken")


@pytest.mark.parametrize(
    ("answer", "saved", "words"),
    [
        (ZeroDivisionError("by zero"), None, "raised ZeroDivisionError"),
        ("tomorrow: sunny", None, "returned a str, not a Forecast"),
        (paths(3), None, "returned paths of shape (3,)"),
        (paths(3, 0), None, "returned paths of shape (3, 0)"),
        (paths(2, 2, fill=math.nan), None, "negative or not finite"),
        (paths(2, 2, fill=-1.0), None, "negative or not finite"),
    ],
)
def test_a_forecaster_that_fails_raises_an_alarm_and_last_value_stands_in_for_it(
    answer, saved, words
):
    rig = Rig(Scripted(action("nodes", 2)), forecaster=BrokenForecaster(answer, saved))
    tick = rig.tick()
    assert words in tick.alarms[0]
    assert tick.forecast.model == "last_value"
    assert rig.plant.applied == [("nodes", 2)]


def test_what_a_forecaster_learned_and_cannot_be_kept_raises_an_alarm_at_the_next_tick():
    rig = Rig(Scripted(), forecaster=BrokenForecaster(paths(2, 2), {1, 2}))
    first, second = rig.ticks(2)
    assert first.forecast is not None
    assert "what it learned is lost: raised TypeError" in second.alarms[0]
    assert rig.recorder.saved_states[-1]["forecaster"] == {}


def test_what_a_forecaster_learned_is_recorded_every_five_minutes():
    rig = Rig(Scripted())
    values = [saved["forecaster"]["last_value"]["updates"] for saved in saved_states_of(rig, 302)]
    assert [values[0], values[299], values[300], values[301]] == [1, 1, 301, 301]


def saved_states_of(rig, ticks):
    rig.ticks(ticks)
    return rig.recorder.saved_states


def test_a_slow_knob_is_forecast_for_also_after_a_restart():
    rig = Rig(Scripted())
    assert rig.tick().forecast.horizon_s == 60.0
    rig.recorder.saved_states[-1]["actuation"]["nodes"] = 100.0
    assert resumed(rig).tick().forecast.horizon_s == 240.0


def test_a_forecaster_that_cannot_read_its_saved_state_raises_an_alarm_and_starts_afresh():
    rig = Rig(Scripted(), forecaster=BrokenForecaster(paths(2, 60), saved=[1]))
    rig.tick()
    again = resumed(rig, forecaster=BrokenForecaster(paths(2, 60), saved=[2]))
    first, second = again.ticks(2)
    assert first.alarms == (
        "forecaster broken cannot read its own saved state: raised KeyError('not mine')",
    )
    assert first.forecast.peak_p50 == 1.0
    assert second.alarms == ()


def test_the_record_holds_the_peak_that_the_forecast_expects():
    rig = Rig(Scripted())
    rig.plant.load = Value(12.0)
    forecast = rig.ticks(2)[1].forecast
    assert (forecast.model, forecast.calibrated, forecast.horizon_s) == ("last_value", False, 60.0)
    assert (forecast.peak_p50, forecast.peak_p90, forecast.peak_p99) == (12.0, 12.0, 12.0)


def test_instruments_see_each_tick_once_it_is_recorded():
    seen = []
    rig = Rig(Scripted(), instruments=[seen.append])
    tick = rig.tick()
    assert seen == [tick]
    assert rig.recorder.ticks == [tick]


def test_a_knob_never_reported_is_held_since_nothing_could_be_rolled_back_to():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.silent_about.add("nodes")
    assert "its value in force is unknown" in rig.tick().holds[0].reason


def test_in_freewheel_nothing_is_judged_and_nothing_turned():
    rig = Rig(Scripted(action("nodes", 2)))
    rig.plant.tells = {"no_deadline": "the server freewheels", "blocks": None}
    assert all(tick.changes == tick.holds == () for tick in rig.ticks(90))
    assert rig.plant.applied == []
    rig.plant.tells = {}
    assert [change.action.value for change in rig.tick().changes] == [2]


def test_policies_are_told_the_deadline_that_the_plant_has_now():
    rig = Rig(Scripted())
    rig.tick()
    rig.plant.tells = {"deadline_ms": 21.3}
    rig.tick()
    assert [each.objective.deadline_ms for each in rig.policy.contexts] == [5.0, 21.3]


def test_what_the_plant_reports_becomes_an_alarm():
    rig = Rig(Scripted())
    observe = rig.plant.observe
    rig.plant.observe = lambda: replace(observe(), events=("the server is gone",))
    assert rig.tick().alarms == ("the server is gone",)


def test_a_plant_without_a_load_is_controlled_too():
    plant = FakePlant(FakeClock())
    plant.load = Missing("this plant has no streams")
    rig = Rig(Scripted(action("nodes", 2)), plant=plant, clock=plant.clock)
    ticks = rig.ticks(4)
    assert ticks[0].forecast is None
    assert ticks[3].verifications[0].verdict is Verdict.CONFIRMED

"""Frozen values as plain JSON and back."""

from __future__ import annotations

import json
import math

import pytest
from fakes import Rig, Scripted, action
from hypothesis import given
from hypothesis import strategies as st

from controller.commands import Pause
from controller.plain_json import from_plain, to_plain
from controller.tick import Tick
from policies.knobs import (
    AnyThreadClasses,
    Knob,
    KnobValue,
    SchedulingClass,
    Settings,
    ThreadClass,
    ThreadClasses,
)
from policies.observation import Invalid, Missing, Reading, Stale, Value
from policies.proposal import Change, Verdict

CLASSES = ThreadClasses(
    audio=ThreadClass(SchedulingClass.REALTIME, 70, cpus=frozenset({1, 0})),
    analysis=ThreadClass(SchedulingClass.BATCH, nice=5, share=0.25),
)


def through_json(value, kind):
    return from_plain(json.loads(json.dumps(to_plain(value), allow_nan=False)), kind)


@pytest.mark.parametrize("value", [3, 0.5, "best-effort", CLASSES])
def test_every_kind_of_knob_value_comes_back_as_it_was(value):
    back = through_json(value, KnobValue)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "reading", [Value(1.0), Missing("x"), Stale(2.0, 3.0), Invalid("x"), Value(math.inf)]
)
def test_a_reading_comes_back_as_the_kind_of_reading_it_was(reading):
    assert through_json(reading, Reading) == reading


def test_settings_come_back():
    settings = Settings.of({"nodes": 2, "thread_classes": CLASSES})
    assert through_json(settings, Settings) == settings


def test_a_change_comes_back():
    rig = Rig(Scripted(action("thread_classes", CLASSES)))
    cpus = AnyThreadClasses(cpus=frozenset({0, 1}))
    rig.plant.knobs_here = {"thread_classes": Knob("thread_classes", cpus, "cpu")}
    change = rig.tick().changes[0]
    assert change.action.value == CLASSES
    assert through_json(change, Change) == change


def test_a_whole_tick_comes_back():
    rig = Rig(Scripted(action("nodes", 2), action("batch_size", 7)))
    for tick in rig.ticks(4):
        assert through_json(tick, Tick) == tick


@given(
    st.lists(
        st.builds(
            Pause,
            st.none() | st.text(max_size=5),
            st.booleans(),
            st.none() | st.floats(allow_nan=False),
        )
    )
)
def test_any_list_of_pauses_comes_back(pauses):
    assert through_json(pauses, list[Pause]) == pauses


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"type": "Value", "value": 1.0}, Missing),
        ({"type": "Nothing"}, Reading),
        ("three", int),
        (None, float),
        (True, float),
        ([1], dict[str, int]),
        ({"a": 1}, list[int]),
        ("no verdict", Verdict),
        ([1, 2, 3], tuple[int, int]),
    ],
)
def test_data_of_another_kind_is_refused(data, kind):
    with pytest.raises(ValueError, match=r"."):
        from_plain(data, kind)


def test_a_value_without_a_plain_form_is_refused():
    with pytest.raises(TypeError, match="object has no plain form"):
        to_plain(object())

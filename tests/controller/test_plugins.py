"""Plug-ins by name, and what a name gives to their constructor."""

from functools import partial

import pytest

from controller import plugins
from controller.errors import Interruption, PlugInError
from policies.baselines.hpa import Hpa
from policies.checks import check


def test_a_name_may_end_with_constants_for_the_constructor():
    made = plugins.make("policies", "hpa:target=0.25:stabilisation_s=6e2", ("decide",))
    assert made == Hpa(target=0.25, stabilisation_s=600.0)
    assert plugins.find("policies", "hpa:target=0.25") is Hpa


@pytest.mark.parametrize("name", ["hpa:", "hpa:target", "hpa:target=", "hpa:target=x", "hpa:no=1"])
def test_constants_that_are_none_are_refused_in_one_line(name):
    with pytest.raises(PlugInError) as refused:
        plugins.make("policies", name, ("decide",))
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hpa:no=1", r"has no constant 'no'; its own: target, "),
        ("hpa:target=nan", "target=nan is no number"),
        ("hpa:target=0.5:target=0.6", "target is given twice"),
        ("hpa:target=0", "target must be at least 0.01 and at most 1, and is 0$"),
        ("hpa:target=-1", "target must be at least 0.01 and at most 1, and is -1$"),
        ("threshold:shrink_after_s=-1", "shrink_after_s must be at least 0, and is -1$"),
        ("dask:wait=2.5", "wait must be a whole number, at least 1, and is 2.5$"),
        ("nodes:predictive=2", "must be a whole number, at least 0 and at most 1, and is 2$"),
    ],
)
def test_a_constant_that_cannot_be_meant_is_named(name, why):
    with pytest.raises(PlugInError, match=why):
        plugins.find("policies", name)


@pytest.mark.parametrize("name", plugins.names("policies"))
def test_every_constant_of_a_policy_has_a_range_that_its_own_and_its_swept_values_keep_to(name):
    policy = plugins.find("policies", name)
    for constant, parameter in plugins._parameters(policy).items():
        (limits,) = plugins._ranges(parameter)
        values = (parameter.default, *getattr(policy, "SWEEP", {}).get(constant, ()))
        assert all(limits.allows(value) for value in values), constant


@pytest.mark.parametrize("name", plugins.names("policies"))
def test_a_policy_decides_with_each_constant_at_either_end_of_its_range(name):
    policy = plugins.find("policies", name)
    for constant, parameter in plugins._parameters(policy).items():
        (limits,) = plugins._ranges(parameter)
        for value in (limits.low, min(limits.high, 1e12)):
            check("total", partial(plugins.make, "policies", name, (), **{constant: value}))


def test_a_sweep_keeps_to_the_ranges_too():
    with pytest.raises(PlugInError, match="target must be at least"):
        plugins.make("policies", "hpa", ("decide",), target=0.0)


def test_a_constructor_whose_annotations_mean_nothing_takes_its_constants_still(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("class Mine:\n    def __init__(self, gain: 'No such type' = 1.0): pass\n")
    assert plugins.find("policies", f"{path}:Mine:gain=2")
    with pytest.raises(PlugInError, match="has no constant 'pain'; its own: gain"):
        plugins.find("policies", f"{path}:Mine:pain=2")


def test_a_file_that_never_ends_is_broken_off(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "LONGEST_LOADING_S", 0.1)
    path = tmp_path / "endless.py"
    path.write_text("while True:\n    pass\n")
    with pytest.raises(PlugInError, match=r"does not load.*took longer than 0\.1 s"):
        plugins.find("policies", f"{path}:Mine")


def test_a_policy_of_a_file_takes_constants_too(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "class Mine:\n"
        "    name = 'mine'\n"
        "    def __init__(self, gain=1.0):\n"
        "        self.gain = gain\n"
        "    def decide(self, context, state):\n"
        "        raise NotImplementedError\n"
    )
    assert plugins.make("policies", f"{path}:Mine:gain=2.5", ("decide",)).gain == 2.5


def test_an_interruption_while_a_plug_in_is_made_is_no_fault_of_the_plug_in(tmp_path):
    path = tmp_path / "interrupted.py"
    path.write_text(
        "from controller.errors import Interruption\n"
        "class Mine:\n    def __init__(self): raise Interruption\n"
    )
    with pytest.raises(Interruption):
        plugins.make("policies", f"{path}:Mine", ())

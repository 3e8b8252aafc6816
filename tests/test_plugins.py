"""Plug-ins by name, and what a name gives to their constructor."""

import pytest

from controller import plugins
from controller.errors import PlugInError
from policies.baselines.hpa import Hpa


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
        ("nodes:predictive=2", "1 looks at the forecast, 0 does not"),
    ],
)
def test_a_constant_that_cannot_be_meant_is_named(name, why):
    with pytest.raises(PlugInError, match=why):
        plugins.make("policies", name, ("decide",))


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

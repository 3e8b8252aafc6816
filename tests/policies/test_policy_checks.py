"""Every policy that ships passes the suite, and the suite finds what is wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import entry_points

import pytest

from policies.checks import CHECKS, PolicyFault, check
from policies.conductor.conductor import Conductor
from policies.proposal import Action, Effect, Expectation, Proposal

POLICIES = {each.name: each.load() for each in entry_points(group="kapellmeister.policies")}


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
def test_a_policy_that_ships_passes(policy, name, monkeypatch):
    if issubclass(policy, Conductor) and policy is not Conductor:
        # The conductor with one knob only: it has been played at full length, as itself.
        monkeypatch.setattr("policies.checks.LONG", 80)
    check(name, policy)


def nodes(count):
    effect = Effect("miss_rate", "of the blocks", (Expectation(0.0, 0.0, 0.0),))
    return Proposal((Action("nodes", count, "because", effect),))


@dataclass
class Faulty:
    """Says whatever the test makes it say."""

    answer: object
    name: str = "faulty"

    def decide(self, context, state):
        return self.answer(context, state)


def counted(context, state):
    return nodes(8 + (state or 0) % 2), (state or 0) + 1


def restless():
    calls = iter(range(10**9))
    return Faulty(lambda context, state: (nodes(8 + next(calls) % 2), None))


def forgetful():
    seen = []

    def decide(context, state):
        seen.append(context.time_s)
        return (nodes(9) if len(seen) > 100 else Proposal()), state

    return Faulty(decide)


def blind(context, state):
    return nodes(2 if context.observation.blocks is None else 8), state


def contrary(context, state):
    return nodes(max(1, 60 - round(context.observation.load.value / 100))), state


def slow(context, state):
    time.sleep(0.06)
    return Proposal(), state


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("deterministic", restless),
        ("total", lambda: Faulty(lambda c, s: (nodes(int(c.observation.load.value)), s))),
        ("total", lambda: Faulty(blind)),
        ("bounded", lambda: Faulty(lambda c, s: (nodes(10**6), s))),
        ("bounded", lambda: Faulty(lambda c, s: (nodes(float("nan")), s))),
        ("idempotent", lambda: Faulty(counted)),
        ("resumable", forgetful),
        ("monotone", lambda: Faulty(contrary)),
    ],
)
def test_what_is_wrong_is_found(name, make):
    with pytest.raises(PolicyFault):
        check(name, make)


@pytest.mark.slow
def test_a_slow_policy_is_found():
    with pytest.raises(PolicyFault, match="budget"):
        check("swift", lambda: Faulty(slow))

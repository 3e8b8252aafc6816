"""How what came of a change is judged."""

from __future__ import annotations

import pytest
from fakes import KNOBS, OBJECTIVE, UNKNOWN, action

from controller.actuation import Actuation
from controller.config.config import GuardSection
from controller.verification import Verifier
from policies.knobs import Settings
from policies.observation import BlockCounts, Missing, Observation, Value
from policies.proposal import Change, Expectation, Verdict

QUEUE = (Expectation(10.0, 0.0, 0.01), Expectation(20.0, 0.02, 0.40))


class Bench:
    """A verifier that watches `nodes` go from 1 to 2, requested at second 0."""

    def __init__(self, **promise) -> None:
        self.verifier = Verifier(GuardSection(verify_timeout_s=15.0), OBJECTIVE)
        self.actuation = Actuation(15.0)
        self.now_s = 0.0
        self.actuation.see(KNOBS, Settings.of({"nodes": 1}), 0.0)
        self.actuation.request("nodes", 2, 0.0)
        self.verifier.watch(Change("c1", action("nodes", 2, **promise), 1, 0.0, 2.0))

    def second(
        self, *, miss_rate=0.0, load=10.0, in_force=2, blocks=10_000, counted_s=None, **readings
    ):
        """One second later: what is judged then."""
        self.now_s += 1.0
        missed = round(blocks * miss_rate)
        counts = BlockCounts(on_time=blocks - missed, late=missed) if blocks else None
        seen = Observation(
            self.now_s,
            1.0,
            UNKNOWN if load is None else Value(load),
            blocks=counts,
            readings=readings,
            counted_s=counted_s,
        )
        values = {} if in_force is None else {"nodes": in_force}
        self.actuation.see(KNOBS, Settings.of(values), self.now_s)
        judged = self.verifier.judge(seen, self.actuation, KNOBS)
        return judged[0][1] if judged else None

    def verdict(self, **figures):
        """The verdict on three seconds like this, the change being in force from the first."""
        assert self.second(**figures) is None
        assert self.second(**figures) is None
        return self.second(**figures).verdict


@pytest.mark.parametrize(
    ("miss_rate", "verdict"),
    [
        (0.0, Verdict.CONFIRMED),
        (0.015, Verdict.CONFIRMED),
        (0.016, Verdict.FELL_SHORT),
        (0.076, Verdict.FELL_SHORT),
        (0.077, Verdict.ROLLED_BACK),
    ],
)
def test_a_miss_rate_is_held_against_both_predictions(miss_rate, verdict):
    """With the change 1 %, without it 5 %: the lines lie at 1.5 % and at 7.5 % and a target."""
    assert Bench(changed=0.01, unchanged=0.05).verdict(miss_rate=miss_rate) is verdict


@pytest.mark.parametrize(
    ("latency_ms", "verdict"),
    [
        (3.0, Verdict.CONFIRMED),
        (3.1, Verdict.FELL_SHORT),
        (6.4, Verdict.FELL_SHORT),
        (6.5, Verdict.ROLLED_BACK),
    ],
)
def test_any_other_reading_has_a_tenth_of_the_unchanged_as_tolerance(latency_ms, verdict):
    """With the change 2 ms, without it 4 ms: the lines lie at 3.0 ms and at 6.4 ms."""
    bench = Bench(changed=2.0, unchanged=4.0, quantity="audio.wait_ms", unit="ms")
    assert bench.verdict(**{"audio.wait_ms": Value(latency_ms)}) is verdict


def test_a_right_growth_under_rising_load_is_not_taken_for_harm():
    """Misses went from 1 % to 3 %, three times as many, yet without the change it were 40 %."""
    bench = Bench(curve=QUEUE)
    assert bench.verdict(miss_rate=0.03, load=20.0) is Verdict.CONFIRMED


def test_the_same_misses_at_the_old_load_are_harm():
    bench = Bench(curve=QUEUE)
    assert bench.verdict(miss_rate=0.03, load=10.0) is Verdict.ROLLED_BACK


def test_a_miss_rate_on_target_is_never_harm():
    assert Bench(changed=0.0, unchanged=0.0).verdict(miss_rate=0.001) is Verdict.CONFIRMED


def test_a_shrink_that_promised_no_harm_and_did_some_is_rolled_back():
    assert Bench(changed=0.0, unchanged=0.0).verdict(miss_rate=0.002) is Verdict.ROLLED_BACK


def test_so_few_late_periods_as_chance_may_bring_are_never_harm():
    """Of 375 periods of 64 streams, three late ones are eight times the target."""
    bench = Bench(changed=0.0, unchanged=0.0)
    bench.second(load=64.0)
    bench.second(load=64.0, blocks=12_000, miss_rate=192 / 12_000)
    assert bench.second(load=64.0, blocks=12_000).verdict is Verdict.FELL_SHORT


def test_one_late_period_more_than_that_is_harm():
    bench = Bench(changed=0.0, unchanged=0.0)
    bench.second(load=64.0)
    bench.second(load=64.0, blocks=12_000, miss_rate=256 / 12_000)
    assert bench.second(load=64.0, blocks=12_000).verdict is Verdict.ROLLED_BACK


def test_the_interval_in_which_the_change_came_into_force_is_discarded():
    bench = Bench(changed=0.0, unchanged=0.0)
    bench.second(miss_rate=1.0)
    bench.second()
    verification = bench.second()
    assert (verification.verdict, verification.measured) == (Verdict.CONFIRMED, 0.0)


def test_misses_are_pooled_by_blocks_not_by_intervals():
    bench = Bench(changed=0.0, unchanged=0.0)
    bench.second()
    bench.second(miss_rate=0.5, blocks=10)
    assert bench.second(blocks=9_990).measured == 0.0005


def test_settling_counts_from_when_the_change_is_in_force():
    bench = Bench()
    assert [bench.second(in_force=1) for _ in range(4)] == [None] * 4
    assert bench.verdict() is Verdict.CONFIRMED
    assert bench.now_s == 7.0


def test_where_the_plant_does_not_say_a_change_counts_as_in_force_after_its_delay():
    assert Bench().verdict(in_force=None) is Verdict.CONFIRMED


def test_a_change_that_never_came_into_force_is_undecided():
    bench = Bench()
    assert [bench.second(in_force=1) for _ in range(15)] == [None] * 15
    verification = bench.second(in_force=1)
    assert verification.verdict is Verdict.UNDECIDED
    assert verification.reason == "still not in force after 16.0 s"


def test_missing_readings_are_waited_for_and_then_leave_it_undecided():
    bench = Bench()
    bench.second()
    assert [bench.second(blocks=0) for _ in range(16)] == [None] * 16
    verification = bench.second(blocks=0)
    assert verification.verdict is Verdict.UNDECIDED
    assert verification.measured is None
    assert bench.verifier.pending() == ()


def test_a_reading_that_comes_late_is_still_judged():
    bench = Bench()
    bench.second()
    for _ in range(5):
        bench.second(blocks=0)
    assert bench.second().verdict is Verdict.CONFIRMED


def test_invalid_and_missing_readings_are_not_measured():
    bench = Bench(changed=2.0, unchanged=4.0, quantity="audio.wait_ms", unit="ms")
    bench.second()
    bench.second(**{"audio.wait_ms": Missing("no block was finished")})
    assert bench.second(**{"audio.wait_ms": Value(2.0)}).measured == 2.0


def test_without_a_load_the_most_demanding_prediction_counts():
    bench = Bench(curve=QUEUE)
    bench.second(load=None)
    bench.second(load=None)
    assert bench.second(load=None, miss_rate=0.03).expected == Expectation(20.0, 0.02, 0.40)


def test_the_reason_tells_what_was_measured_and_what_the_model_says_at_that_load():
    bench = Bench(curve=QUEUE)
    bench.second(load=15.0)
    bench.second(load=15.0)
    assert bench.second(load=15.0).reason == (
        "miss_rate 0.000%; at load 15 the model says 1.000% with the change and 20.500% without it"
    )


def test_where_nobody_counts_a_load_the_reason_names_none():
    bench = Bench(changed=0.01, unchanged=0.05)
    verification = [bench.second(load=None) for _ in range(3)][-1]
    assert verification.reason == (
        "miss_rate 0.000%; the model says 1.000% with the change and 5.000% without it"
    )


def test_another_hand_leaves_it_undecided():
    bench = Bench()
    bench.second()
    verification = bench.second(in_force=3, miss_rate=0.9)
    assert verification.verdict is Verdict.UNDECIDED
    assert "another hand set it to 3" in verification.reason


def test_a_change_under_evaluation_survives_with_what_was_read_so_far():
    bench = Bench(changed=0.0, unchanged=0.0)
    bench.second()
    bench.second(miss_rate=0.01)
    again = Verifier(GuardSection(), OBJECTIVE)
    again.resume(bench.verifier.saved())
    bench.verifier = again
    verification = bench.second()
    assert (verification.verdict, verification.measured) == (Verdict.ROLLED_BACK, 0.005)


def test_the_delay_of_a_knob_is_learned_as_an_exponential_average():
    actuation = Actuation(15.0)
    nodes = Settings.of({"nodes": 1})
    actuation.see(KNOBS, nodes, 0.0)
    actuation.request("nodes", 2, 0.0)
    actuation.see(KNOBS, nodes, 5.0)
    actuation.see(KNOBS, nodes.turned("nodes", 2), 10.0)
    assert actuation.delays_s["nodes"] == pytest.approx(3.0)
    actuation.see(KNOBS, nodes.turned("nodes", 2), 11.0)
    assert actuation.delays_s["nodes"] == pytest.approx(3.0)


def test_what_was_missed_before_a_change_and_is_counted_after_it_is_not_held_against_it():
    """The counts are two seconds old: those of the change are known up to second 3 at second 5."""
    bench = Bench(changed=0.0, unchanged=0.05)
    for second in range(1, 5):
        told = {"miss_rate": 0.05 if second < 4 else 0.0, "counted_s": (second - 3.0, second - 2.0)}
        assert bench.second(**told) is None
    verification = bench.second(counted_s=(2.0, 3.0))
    assert (verification.verdict, verification.measured) == (Verdict.CONFIRMED, 0.0)


def test_counts_that_never_come_end_the_wait_for_them():
    bench = Bench(changed=0.0, unchanged=0.05)
    verdicts = [bench.second(counted_s=(-1.0, 0.0)) for _ in range(18)]
    assert verdicts[:-1] == [None] * 17
    assert verdicts[-1].verdict is Verdict.UNDECIDED


def test_a_plant_that_became_another_leaves_nothing_to_be_judged():
    bench = Bench()
    bench.second()
    (given_up,) = bench.verifier.abandon_all("another server plays")
    assert (given_up.verdict, given_up.measured) == (Verdict.UNDECIDED, None)
    assert given_up.reason == "another server plays"
    assert bench.verifier.pending() == ()

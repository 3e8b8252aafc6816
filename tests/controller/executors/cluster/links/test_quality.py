"""Clock offset, round trips and bandwidth, from exchanges with literal times."""

import pytest

from controller.errors import FrameError
from controller.executors.cluster.links.frame import Frame, Kind
from controller.executors.cluster.links.quality.clock_offset import (
    ClockOffset,
    Exchange,
    OffsetEstimator,
)
from controller.executors.cluster.links.quality.interconnect import Interconnect, contradiction
from controller.executors.cluster.links.quality.ping import answer, exchange_of, ping
from controller.executors.cluster.links.quality.probe import LinkProbe, LinkQuality
from policies.observation import Missing, Value

AHEAD_NS = 5_000_000


def exchange(there_ns, back_ns, asked_ns=1000, on_it_ns=300):
    """With a clock that is 5 ms ahead of ours."""
    received_ns = asked_ns + there_ns
    answered_ns = received_ns + on_it_ns
    return Exchange(asked_ns, received_ns + AHEAD_NS, answered_ns + AHEAD_NS, answered_ns + back_ns)


def test_the_offset_is_exact_where_both_ways_are_equally_long():
    found = exchange(40_000, 40_000)
    assert (found.round_trip_ns, found.offset_ns) == (80_000, 5_000_000)


def test_an_uneven_way_moves_the_offset_by_no_more_than_its_error():
    found = exchange(100_000, 0)
    assert found.offset_ns - AHEAD_NS == 50_000
    assert found.error_ns(found.heard_ns) == 50_000


def test_the_estimate_rests_on_the_exchange_with_the_least_error_and_ages():
    estimator = OffsetEstimator()
    for each in (exchange(900_000, 100_000), exchange(20_000, 20_000), exchange(50_000, 500_000)):
        estimator.add(each)
    a_minute_later_ns = exchange(20_000, 20_000).heard_ns + 60_000_000_000
    estimate = estimator.estimate(a_minute_later_ns)
    assert isinstance(estimate, ClockOffset)
    assert estimate.error_ns == 920_000
    assert abs(estimate.offset_ns - AHEAD_NS) <= estimate.error_ns


def test_an_instant_of_theirs_is_told_on_our_clock():
    assert ClockOffset(5_000_000, 40_000).to_ours(5_001_000) == 1000


def test_nothing_is_known_before_the_first_answer():
    assert isinstance(OffsetEstimator().estimate(0), Missing)
    quality = LinkProbe("alpha").quality(0)
    assert isinstance(quality.round_trip_p50_us, Missing)
    assert isinstance(quality.bandwidth_bytes_per_s, Missing)


def test_a_question_comes_back_with_three_instants_and_its_length():
    found = exchange_of("alpha", answer("alpha", ping(1000, 500), 7_000, 9_000), 5_000)
    assert found == (Exchange(1000, 7_000, 9_000, 5_000), 500)


@pytest.mark.parametrize(
    ("received_ns", "answered_ns", "heard_ns"),
    [(9_000, 7_000, 5_000), (7_000, 9_000, 500), (7_000, 19_000, 5_000)],
)
def test_an_answer_that_cannot_be_is_refused(received_ns, answered_ns, heard_ns):
    answered = answer("alpha", ping(1000), received_ns, answered_ns)
    with pytest.raises(FrameError, match="an answer before its question"):
        exchange_of("alpha", answered, heard_ns)


def test_a_question_or_an_answer_cut_short_is_refused():
    with pytest.raises(FrameError, match="a PING of 3 bytes"):
        answer("alpha", Frame(Kind.PING, b"abc"), 0, 0)
    with pytest.raises(FrameError, match="a PONG of 3 bytes"):
        exchange_of("alpha", Frame(Kind.PONG, b"abc"), 0)


def test_a_probe_tells_quantiles_and_the_bandwidth():
    probe = LinkProbe("alpha")
    for trip_us in range(100, 200):
        asked = probe.question(0)
        probe.heard(answer("alpha", asked, 0, 0), 1000 * trip_us)
    large = probe.question(0, is_large=True)
    probe.heard(answer("alpha", large, 0, 0), 1000 * (100 + 2621))
    quality = probe.quality(0)
    assert (quality.fastest_us, quality.round_trip_p50_us) == (Value(100.0), Value(149.5))
    assert isinstance(quality.bandwidth_bytes_per_s, Value)
    assert quality.bandwidth_bytes_per_s.value == pytest.approx(100.0e6, rel=1e-3)


def quality_of(fastest_us, megabytes_per_s):
    fastest, bandwidth = Value(fastest_us), Value(megabytes_per_s * 1e6)
    return LinkQuality(fastest, fastest, fastest, bandwidth, Missing("not asked"))


@pytest.mark.parametrize(
    ("declared", "is_loopback", "quality", "said"),
    [
        ("infiniband", False, quality_of(900.0, 3000.0), "no round trip is faster than 900 us"),
        ("infiniband", False, quality_of(60.0, 110.0), "it carries 110 MB/s"),
        ("ethernet", False, quality_of(9000.0, 110.0), "no round trip is faster than 9,000 us"),
        ("ethernet", True, quality_of(60.0, 3000.0), "the peer is on this machine itself"),
        ("loopback", False, quality_of(60.0, 3000.0), "the peer is on another host"),
    ],
)
def test_a_link_that_contradicts_what_was_declared_is_said(declared, is_loopback, quality, said):
    found = contradiction(Interconnect(declared), is_loopback=is_loopback, quality=quality)
    assert found is not None
    assert said in found
    assert found.startswith(f"{declared} was declared, but ")


@pytest.mark.parametrize(
    ("declared", "is_loopback", "quality"),
    [
        ("auto", False, quality_of(90_000.0, 0.1)),
        ("ethernet", False, quality_of(150.0, 110.0)),
        ("infiniband", False, quality_of(60.0, 3000.0)),
        ("infiniband", False, LinkProbe("alpha").quality(0)),
    ],
)
def test_a_link_that_may_be_what_was_declared_is_left_alone(declared, is_loopback, quality):
    found = contradiction(Interconnect(declared), is_loopback=is_loopback, quality=quality)
    assert found is None

"""The network that was declared between nodes, held against what a link shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from controller.executors.cluster.links.quality.probe import LinkQuality
from policies.observation import fresh


class Interconnect(StrEnum):
    """`[cluster] interconnect`: what lies between the hosts; `auto` declares nothing."""

    AUTO = "auto"
    LOOPBACK = "loopback"
    ETHERNET = "ethernet"
    INFINIBAND = "infiniband"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a network of a kind keeps, measured from Python over TCP.

    `fastest_us` is the longest that its fastest round trip takes, `bandwidth_bytes_per_s` the
    least that it carries: wide enough for a busy host, and too narrow for the next slower kind.
    """

    fastest_us: float
    bandwidth_bytes_per_s: float


EXPECTED = {
    Interconnect.LOOPBACK: Expectation(500.0, 200e6),
    Interconnect.ETHERNET: Expectation(2000.0, 50e6),
    Interconnect.INFINIBAND: Expectation(300.0, 500e6),
}
"""Expectations by kind; ethernet from 1 Gbit/s in one building, InfiniBand by way of IPoIB."""


def contradiction(declared: Interconnect, *, is_loopback: bool, quality: LinkQuality) -> str | None:
    """What a link shows that the declared network would not; None where it may be true.

    `is_loopback` says whether the peer's address is this machine itself. Figures that are missing
    contradict nothing.
    """
    if declared is Interconnect.AUTO:
        return None
    if is_loopback != (declared is Interconnect.LOOPBACK):
        where = "this machine itself" if is_loopback else "another host"
        return _said(declared, f"the peer is on {where}")
    expected = EXPECTED[declared]
    fastest_us, bandwidth = fresh(quality.fastest_us), fresh(quality.bandwidth_bytes_per_s)
    if fastest_us is not None and fastest_us > expected.fastest_us:
        shown = f"no round trip is faster than {fastest_us:,.0f} us"
        return _said(declared, f"{shown}, and {expected.fastest_us:,.0f} were expected")
    if bandwidth is not None and bandwidth < expected.bandwidth_bytes_per_s:
        shown = f"it carries {bandwidth / 1e6:,.0f} MB/s"
        least = expected.bandwidth_bytes_per_s / 1e6
        return _said(declared, f"{shown}, and at least {least:,.0f} were expected")
    return None


def _said(declared: Interconnect, shown: str) -> str:
    remedy = "correct [cluster] interconnect, or see what lies between the hosts"
    return f"{declared} was declared, but {shown}; {remedy}"

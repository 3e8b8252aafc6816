"""Figures out of one page of metrics, or out of the growth of counters between two."""

from __future__ import annotations

import math
from collections.abc import Mapping

from controller.config.remote import MetricSection
from controller.config.selector import Labels, Selector
from controller.plants.remote.scraper import Scrape
from policies.observation import Invalid, Missing, Reading, Value, reading

SECONDS = "seconds"
"""Word for a rate in `per`, where any other names a metric."""

MOST = 1e15
"""Largest figure that can be: no service has done more, and computing with more overflows."""


def figure(section: MetricSection, before: Scrape, now: Scrape) -> Reading:
    """The value of a gauge now, or what a counter grew by, per second or per another's growth."""
    if not section.per:
        found = _gauge(section, now)
    elif section.per == SECONDS:
        found = _ratio(growth(section.metric, before, now), Value(now.at_s - before.at_s))
    else:
        found = _ratio(growth(section.metric, before, now), growth(section.per, before, now))
    if not isinstance(found, Value):
        return found
    return reading(section.scale * found.value, minimum=section.minimum)


def growth(selector: str, before: Scrape, now: Scrape) -> Reading:
    """The growth of the counters of a name, together; one that fell has started over.

    Its count since then is not taken for the interval: a counter that several servers answer for
    in turn would seem to count a whole life each time.
    """
    wanted = Selector.of(selector)
    earlier, later = wanted.among(before.samples), wanted.among(now.samples)
    if not later:
        return nothing_matches(selector)
    return grown(earlier, later, selector)


def nothing_matches(selector: str) -> Missing:
    """The reading of a metric that is not there."""
    return Missing(f"no sample matches {selector}")


def grown(earlier: Mapping[Labels, float], later: Mapping[Labels, float], name: str) -> Reading:
    """The growth of these counters; a series that is new has counted from nothing."""
    total = 0.0
    for labels, value in later.items():
        was = earlier.get(labels, 0.0)
        if not math.isfinite(value) or value < 0.0:
            return Invalid(f"{name} is {value:g}, which no counter can be")
        if value < was:
            return Missing(f"{name} fell from {was:g} to {value:g}: it started over")
        total += value - was if math.isfinite(was) and was >= 0.0 else 0.0
    return possible(Value(total), name)


def possible(each: Reading, name: str) -> Reading:
    """The reading of a load, a count or a knob; invalid where it is beyond what can be."""
    if isinstance(each, Value) and each.value > MOST:
        return Invalid(f"{name}: {each.value:g} is more than can be ({MOST:g})")
    return each


def _gauge(section: MetricSection, now: Scrape) -> Reading:
    values = [*Selector.of(section.metric).among(now.samples).values()]
    if not values:
        return nothing_matches(section.metric)
    if section.of == "max":
        found = math.nan if any(map(math.isnan, values)) else max(values)
    else:
        found = sum(values) / (len(values) if section.of == "mean" else 1)
    return Value(found) if math.isfinite(found) else Invalid(f"{section.metric} is {found:g}")


def _ratio(part: Reading, whole: Reading) -> Reading:
    if not isinstance(part, Value):
        return part
    if not isinstance(whole, Value):
        return whole
    return Value(part.value / whole.value) if whole.value > 0.0 else Missing("nothing was counted")

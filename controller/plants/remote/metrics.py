"""The metrics of a service in our words: load, blocks by outcome, latency, readings, knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from controller.config.remote import KnobSection, MetricSection, RemoteSection
from controller.plants.remote.figures import figure, growth, possible
from controller.plants.remote.latency import counted, quantiles
from controller.plants.remote.scraper import Scrape
from policies.observation import (
    NOT_REPORTED,
    BlockCounts,
    Invalid,
    Missing,
    Quantiles,
    Reading,
    Value,
    fresh,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """The time between two scrapes, in our words; of blocks perhaps only why none is counted."""

    load: Reading
    blocks: BlockCounts | Reading
    latency: Quantiles
    readings: Mapping[str, Reading]
    in_force: Mapping[str, Reading]

    def watched(self) -> Mapping[str, Reading]:
        """All readings by name whose failure is to raise an alarm.

        A further reading that is missing raises none: while nothing is counted, rates are missing.
        """
        blocks = Value(1.0) if isinstance(self.blocks, BlockCounts) else self.blocks
        rest = {"latency": self.latency.p99_ms, **self.readings}
        wrong = {name: each for name, each in rest.items() if not isinstance(each, Missing)}
        knobs = {f"knob {name}": each for name, each in self.in_force.items()}
        return {"load": self.load, "blocks": blocks, **wrong, **knobs}


def figures(section: RemoteSection, before: Scrape, now: Scrape) -> Figures:
    """All that the configuration maps, from two scrapes."""
    mapped = section.load.metric
    load = possible(figure(section.load, before, now), mapped) if mapped else NOT_REPORTED
    return Figures(
        load=load,
        blocks=_plausible(_blocks(section, before, now), load),
        latency=quantiles(section.latency, before, now),
        readings=MappingProxyType(
            {name: figure(each, before, now) for name, each in section.readings.items()}
        ),
        in_force=MappingProxyType(
            {name: in_force(each, now) for name, each in section.knobs.items()}
        ),
    )


def in_force(knob: KnobSection, now: Scrape) -> Reading:
    """The value that a knob has, as its gauge shows it."""
    found = possible(figure(MetricSection(metric=knob.gauge, of=knob.of), now, now), knob.gauge)
    if isinstance(found, Value) and not found.value.is_integer():
        return Invalid(f"{knob.gauge} is {found.value:g}, no whole number")
    return found


def _blocks(section: RemoteSection, before: Scrape, now: Scrape) -> BlockCounts | Reading:
    mapped = section.blocks
    if not (mapped.on_time or mapped.submitted):
        if not section.latency.metric:
            return NOT_REPORTED
        return counted(section.latency, section.deadline_ms, before, now)
    counts: dict[str, int] = {}
    for name in type(mapped).model_fields:
        selector = getattr(mapped, name)
        grew = growth(selector, before, now) if selector else Value(0.0)
        if _never_counted(name, grew):
            grew = Value(0.0)
        if not isinstance(grew, Value):
            return grew
        counts[name] = round(grew.value)
    return _outcomes(counts, by_rest=bool(mapped.submitted))


def _never_counted(outcome: str, grew: Reading) -> bool:
    """Whether a counter is missing as it may be: many show failures from the first failure on."""
    return outcome not in ("on_time", "submitted") and isinstance(grew, Missing)


def _outcomes(counts: dict[str, int], *, by_rest: bool) -> BlockCounts | Reading:
    submitted = counts.pop("submitted")
    if by_rest:
        counts["on_time"] = submitted - sum(counts.values())
    if counts["on_time"] < 0:
        return Invalid(f"more blocks were missed than the {submitted} that were submitted")
    return BlockCounts(**{each.name: counts[each.name] for each in fields(BlockCounts)})


def _plausible(blocks: BlockCounts | Reading, load: Reading) -> BlockCounts | Reading:
    """Blocks, unless none is under a load: then the page stands still, or the service does."""
    streams = fresh(load) or 0.0
    if isinstance(blocks, BlockCounts) and not blocks.submitted and streams > 0.0:
        return Missing(f"no block was counted under a load of {streams:g}")
    return blocks

"""Any service as a plant: its metrics are scraped, its knobs turned by HTTP or by a command.

Where the service is silent, slow or says what cannot be true, nothing is turned: it fails static.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

from controller.config.remote import KnobSection
from controller.errors import ConfigurationError, PlantError
from controller.plants.plant import Surroundings
from controller.plants.remote.alarms import MetricAlarms
from controller.plants.remote.drift import DriftDetector
from controller.plants.remote.http import HttpClient
from controller.plants.remote.knob_requests import KnobRequests
from controller.plants.remote.metrics import Figures, figures
from controller.plants.remote.scraper import Scrape, Scraper, reader
from controller.plants.remote.token import read_token
from controller.plants.remote.turning import turns
from policies.knobs import OURS, Bounds, Choice, Knob, KnobValue, Settings
from policies.observation import (
    NOT_REPORTED,
    BlockCounts,
    Counted,
    Missing,
    Observation,
    Quantiles,
    Reading,
    Stale,
    Value,
    fresh,
)
from policies.proposal import Refusal

LEAD = 0.2
"""Lead of a scrape before the tick that needs it, in intervals."""
FRESH = 1.5
"""Age from which a scrape is stale, in intervals."""
PATIENCE = 0.2
"""Time that turning a knob is waited for, in intervals, and at most in seconds."""
LEAST_INTERVAL_S = 1e-3
SOURCE = "the configuration"


class RemotePlant:
    """Watches a service that others run, and turns what it lets be turned.

    Two scrapes make an observation. What another scaler owns is never turned here: the value
    that is desired is shown as a reading, `desired.NAME`, which the metrics of this controller
    pass on. Raises PlantError where nobody answers at first; later, that is an observation.
    """

    name = "remote"
    counted: ClassVar[Counted] = "blocks"

    def __init__(self, surroundings: Surroundings) -> None:
        self._section = section = surroundings.config.remote
        self._clock = surroundings.clock
        self._interval_s = surroundings.config.loop.interval_s
        if not section.metrics_url:
            remedy = "name the service in the table [remote] of a file given with --config"
            raise ConfigurationError(SOURCE, "remote.metrics_url", "is empty", remedy)
        client = HttpClient(section.timeout_s, read_token(section))
        self._scraper = Scraper(reader(client, section.metrics_url), self._clock)
        patience_s = PATIENCE * min(1.0, self._interval_s)
        self._requests = KnobRequests(turns(section, client), patience_s)
        self._knobs = {name: _knob(name, each) for name, each in section.knobs.items()}
        self._alarms = MetricAlarms()
        self._values: dict[str, int] = {}
        self._drift: dict[str, DriftDetector] = {}
        self._in_doubt: dict[str, str] = {}
        try:
            self._last = self._first_scrape()
            self._figures = self._first_figures()
        except BaseException:
            self.close()
            raise
        self._note_values(self._figures)
        self._order()

    @property
    def deadline_ms(self) -> float:
        """Time from the capture of a block until it must be finished, milliseconds."""
        return self._section.deadline_ms

    def knobs(self) -> Mapping[str, Knob]:
        """The knobs that the configuration names; how long a change interrupts is learned."""
        return self._knobs

    def observe(self) -> Observation:
        """The time between the newest scrape and the last that was used."""
        now_s, newest = self._clock.now_s(), self._scraper.newest
        self._order()
        events = self._events_of_requests()
        if newest is None or newest is self._last or self._age_s(newest) > FRESH * self._interval_s:
            return self._unseen(now_s, events)
        before, self._last = self._last, newest
        self._figures = seen = figures(self._section, before, newest)
        self._note_values(seen)
        events += self._alarms.update({"metrics": Value(1.0), **seen.watched()})
        blocks = seen.blocks if isinstance(seen.blocks, BlockCounts) else None
        why_not = {} if isinstance(seen.blocks, BlockCounts) else {"blocks": seen.blocks}
        return Observation(
            time_s=now_s,
            interval_s=max(LEAST_INTERVAL_S, newest.at_s - before.at_s),
            load=seen.load,
            load_unit=self._section.load_unit,
            blocks=blocks,
            latency=seen.latency,
            readings=MappingProxyType({**seen.readings, **why_not, **self._told(newest)}),
            events=tuple(events),
        )

    def in_force(self) -> Settings:
        """The values that the gauges show, or last showed: a silent service keeps what it has."""
        return Settings.of(self._values)

    def apply(self, knob: str, value: KnobValue) -> Refusal | None:
        """Ask for a value, unless it cannot be seen what would come of it."""
        if knob not in self._knobs:
            return Refusal(knob, "no such knob")
        domain = self._knobs[knob].domain
        if not domain.allows(value):
            return Refusal(knob, f"{value} is not allowed: {domain}")
        if knob in self._in_doubt:
            return Refusal(knob, self._in_doubt[knob], passing=True)
        return self._turn(knob, value)

    def restore(self, knob: str) -> Refusal | None:
        """Restore what was found before the first `apply`."""
        drift = self._drift.get(knob)
        return None if drift is None else self._turn(knob, drift.found)

    def helpers(self) -> tuple[int, ...]:
        """No process: threads of this one watch the service."""
        return ()

    def finished(self) -> bool:
        """Never: a service goes on."""
        return False

    def close(self) -> None:
        """Restore what was found, unless another hand moved it since, and leave the service."""
        found = {
            knob: each.found
            for knob, each in self._drift.items()
            if each.ours and self._knobs[knob].owner == OURS
        }
        self._drift.clear()
        failed = self._requests.finish(found, 2 * self._section.timeout_s)
        self._scraper.close()
        for knob, why in failed.items():
            told = f"{knob} may not be back at {found[knob]}, as it was found: {why}"
            print(f"kapellmeister: {told}; set it by hand", file=sys.stderr)

    def _turn(self, knob: str, value: KnobValue) -> Refusal | None:
        refusal = None
        if self._knobs[knob].owner == OURS:
            refusal = self._requests.turn(knob, value)
        if refusal is None and isinstance(value, int):
            drift = self._drift.get(knob)
            if drift is None or drift.drifted:  # what another hand set is what we find now
                drift = self._drift[knob] = DriftDetector(self._values[knob])
            drift.ask(value)
        return refusal

    def _order(self) -> None:
        self._scraper.order((1.0 - LEAD) * self._interval_s)

    def _age_s(self, scrape: Scrape) -> float:
        return self._clock.now_s() - scrape.at_s

    def _first_scrape(self) -> Scrape:
        self._scraper.order(0.0)
        self._scraper.wait(2 * self._section.timeout_s)
        if self._scraper.newest is None:
            why = self._scraper.failure or "no answer yet"
            remedy = "start the service, or mend remote.metrics_url"
            raise PlantError(self.name, f"{self._section.metrics_url}: {why}", remedy)
        return self._scraper.newest

    def _first_figures(self) -> Figures:
        """Figures of one scrape. Raises ConfigurationError where no mapped metric is there."""
        found = figures(self._section, self._last, self._last)
        told = [each for each in found.watched().values() if each is not NOT_REPORTED]
        if told and all(isinstance(each, Missing) for each in told):
            why = f"none of its metrics is at {self._section.metrics_url} ({_reason(told[0])})"
            raise ConfigurationError(SOURCE, "remote", why, "mend the names of the metrics")
        return found

    def _note_values(self, seen: Figures) -> None:
        """Keep what the knobs were last seen to have, and which of them cannot be seen now."""
        self._in_doubt = {}
        for knob, each in seen.in_force.items():
            value = fresh(each)
            if value is not None:
                self._values[knob] = int(value)
                if knob in self._drift:
                    self._drift[knob].see(int(value))
            else:
                why = f"what is in force cannot be seen: {_reason(each)}"
                self._in_doubt[knob] = why

    def _unseen(self, now_s: float, events: list[str]) -> Observation:
        """An observation without a fresh scrape: old figures, each with its age."""
        age_s = self._age_s(self._last)
        missing = Missing(self._scraper.failure or "no answer yet")
        why = f"nothing is turned unseen: no metrics for {age_s:.1f} s ({missing.reason})"
        self._in_doubt = dict.fromkeys(self._knobs, why)
        events += self._alarms.update({"metrics": missing})
        readings = {name: _aged(each, age_s) for name, each in self._figures.readings.items()}
        return Observation(
            time_s=now_s,
            interval_s=max(LEAST_INTERVAL_S, age_s),
            load=_aged(self._figures.load, age_s),
            load_unit=self._section.load_unit,
            latency=Quantiles(*(missing,) * 4),
            readings=MappingProxyType({**readings, "blocks": missing, **self._told(self._last)}),
            events=tuple(events),
        )

    def _told(self, scrape: Scrape) -> dict[str, Reading]:
        """Readings beside the service's own: how old its metrics are, and what is desired."""
        return {"metrics.age_s": Value(self._age_s(scrape)), **self._desired()}

    def _desired(self) -> dict[str, Reading]:
        """Values for other scalers, each of which stands until another is desired."""
        return {
            f"desired.{knob}": Value(float(each.asked))
            for knob, each in self._drift.items()
            if self._knobs[knob].owner != OURS
        }

    def _events_of_requests(self) -> list[str]:
        events = []
        for knob, value, outcome in self._requests.ended():
            if outcome.failure is not None:
                events.append(f"{knob}: the request for {value} failed: {outcome.failure}")
            elif outcome.disruption_ms is not None:
                learned = replace(self._knobs[knob], disruption_ms=outcome.disruption_ms)
                self._knobs = {**self._knobs, knob: learned}
        return events


def _knob(name: str, section: KnobSection) -> Knob:
    if section.choice:
        domain: Bounds | Choice = Choice(section.choice)
    else:
        low, high = section.low or 0, section.high or 0
        domain = Bounds(low, high, section.step or high - low)
    return Knob(
        name,
        domain,
        section.resource,
        section.delay_s,
        section.settle_s,
        section.disruption_ms,
        section.owner,
    )


def _reason(each: Reading) -> str:
    return getattr(each, "reason", "")


def _aged(each: Reading, age_s: float) -> Reading:
    return Stale(each.value, age_s) if isinstance(each, Value) else each

"""How each knob stands: planned, requested, observed; and how long a request takes to act."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from controller.plain_json import JsonValue, from_plain, to_plain
from policies.knobs import OURS, Bounds, Choice, Direction, Knob, KnobState, KnobValue, Settings
from policies.words import words

LEARNING_RATE = 0.3
OVERDUE_FACTOR = 3.0
LIMIT_S = 3600.0
"""Seconds for which the limit that a plant has shown is believed before more is asked for again."""


@dataclass(slots=True)
class _Track:
    """A knob's course; `replaced` is legitimately in force until the request first `arrived`.

    A request is `presumed` to have arrived while the plant does not say, and awaited since
    `since_s`.
    """

    state: KnobState = field(default_factory=KnobState)
    replaced: KnobValue | None = None
    arrived: bool = False
    presumed: bool = False
    since_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Limit:
    """How far a request went that was to go further that way, and until when that is believed."""

    value: int
    direction: Direction
    until_s: float


class Actuation:
    """Follows every request until it is in force, and notices another hand's.

    A knob has drifted when the value in force is neither the one requested nor, before the
    request first came into force, the one it replaces; while a request is under way
    (less than three learned delays and `patience_s`) values in between are no drift. What a
    plant says after it said nothing, as while its server freewheels, is awaited anew. Nor is
    what the owner of a knob makes of it, where that is another scaler; nor a request that the
    plant met halfway: that is its limit.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._tracks: dict[str, _Track] = {}
        self._knobs: Mapping[str, Knob] = {}
        self._ours: frozenset[str] = frozenset()
        self._delays_s: dict[str, float] = {}
        self._states: Mapping[str, KnobState] = {}
        self._settings = Settings()
        self._in_force: Settings | None = None
        self._wanted: tuple[Mapping[str, KnobValue], Settings] | None = None
        self._under_way: Mapping[str, _Track] = {}
        self._deviating: Mapping[str, _Track] = {}
        self._limits: dict[str, _Limit] = {}

    @property
    def states(self) -> Mapping[str, KnobState]:
        """The three states of each knob, as they stand."""
        return self._states

    @property
    def delays_s(self) -> Mapping[str, float]:
        """How long a growth of each knob takes to be in force: an exponential average."""
        return MappingProxyType(self._delays_s)

    def settings(self) -> Settings:
        """The values in force, the requested one where the plant does not say."""
        return self._settings

    def see(self, knobs: Mapping[str, Knob], in_force: Settings, time_s: float) -> None:
        """Take what the plant now has in force; knobs it no longer has are forgotten."""
        self._knobs = knobs
        if self._tracks.keys() != knobs.keys():
            self._tracks = {knob: self._tracks.get(knob, _Track()) for knob in knobs}
            self._ours = frozenset(knob for knob, each in knobs.items() if each.owner == OURS)
            self._delays_s = {knob: each.delay_s for knob, each in knobs.items()} | self._delays_s
            self._in_force = self._wanted = None
        if in_force != self._in_force:
            self._in_force = in_force
            for knob, track in self._tracks.items():
                track.state = track.state.seen(in_force.get(knob))
                _await_anew(track, time_s)
            self._note()
        for knob, track in self._under_way.items():
            self._await_arrival(knobs[knob], track, time_s)

    def within_limits(self, knobs: Mapping[str, Knob], time_s: float) -> Mapping[str, Knob]:
        """The knobs as far as they can be turned: less far than they say where that was seen."""
        if not self._limits:
            return knobs
        self._limits = {
            knob: limit
            for knob, limit in self._limits.items()
            if knob in knobs and not self._surpassed(knobs[knob], limit)
        }
        narrowed = {
            knob: _narrowed(knobs[knob], limit)
            for knob, limit in self._limits.items()
            if time_s < limit.until_s
        }
        return {**knobs, **narrowed}

    def forget_limit(self, knob: str) -> None:
        """Ask for more again; where nothing comes of it, it is the limit still."""
        if knob in self._limits:
            self._limits[knob] = replace(self._limits[knob], until_s=-math.inf)

    def note_planned(self, wanted: Mapping[str, KnobValue]) -> None:
        """Note what the policy wants; it wants every other knob as it is."""
        if (wanted, self._settings) == self._wanted:
            return
        self._wanted = wanted, self._settings
        for knob, track in self._tracks.items():
            track.state = replace(track.state, planned=wanted.get(knob, self._settings.get(knob)))
        self._note()

    def request(self, knob: str, value: KnobValue, time_s: float) -> None:
        """Note that the plant took a request."""
        track = self._tracks[knob]
        track.replaced, track.arrived, track.presumed = track.state.observed, False, False
        track.since_s = time_s
        self._enter(knob, replace(track.state, requested=value, requested_at_s=time_s))

    def take_over(self, knob: str, value: KnobValue, time_s: float) -> None:
        """Note a request of an earlier run that is in force: nothing is learned from it."""
        self.request(knob, value, time_s)
        self._tracks[knob].arrived = True
        self._note()

    def adopt(self, knob: str) -> None:
        """Take whatever is in force as found, as if nothing had ever been requested."""
        state = self._tracks[knob].state
        self._tracks[knob] = _Track()
        self._enter(knob, replace(state, requested=None, requested_at_s=None))

    def is_in_force(self, knob: str) -> bool:
        """Whether the last request has come into force."""
        return knob in self._tracks and self._tracks[knob].arrived

    def is_overdue(self, knob: str, time_s: float) -> bool:
        """Whether a request that is not in force has had all the time it may take."""
        track = self._tracks[knob]
        if track.since_s is None or track.arrived:
            return False
        return time_s - track.since_s > OVERDUE_FACTOR * self._delays_s[knob] + self._patience_s

    def expire(self, time_s: float) -> dict[str, str]:
        """Expire the requests that are overdue, each with what happened.

        What is in force counts as found: should the value asked for come after all, it is no
        other hand's. Where it went part of the way, that is the limit from now on. A knob that
        drifted stays as it is.
        """
        drifted, expired = self.drift(time_s), {}
        for knob, track in [*self._under_way.items()]:
            if knob not in drifted and self.is_overdue(knob, time_s):
                state, limit = track.state, self._limit_shown(knob, track, time_s)
                waited_s = time_s - (state.requested_at_s or time_s)
                asked, seen = _in_words(state, self._knobs[knob])
                expired[knob] = f"{asked} was asked for {waited_s:.0f} s ago and " + (
                    f"did not come into force; it is {seen}"
                    if limit is None
                    else f"{limit.value} is as far as it went: that counts as the limit for "
                    f"{LIMIT_S / 60:.0f} minutes, or until `kapellmeister resume --knob {knob}`"
                )
                if limit is not None:
                    self._limits[knob] = limit
                self.adopt(knob)
        return expired

    def drift(self, time_s: float) -> dict[str, str]:
        """The knobs that another hand moved, each with what happened and the remedy.

        So did our own watchdog, where it restored what did harm; then that is said.
        """
        return {
            knob: _moved(self._knobs[knob], track.state)
            for knob, track in self._deviating.items()
            if self._has_drifted(knob, track, time_s)
        }

    def saved(self) -> JsonValue:
        """The learned delays. The states are found anew: the plant may have been restored."""
        return to_plain(self._delays_s)

    def resume(self, saved: JsonValue) -> None:
        """Go on with the delays learned earlier."""
        self._delays_s = from_plain(saved, dict[str, float])

    def _enter(self, knob: str, state: KnobState) -> None:
        self._tracks[knob].state = state
        self._note()

    def _note(self) -> None:
        """Sum the tracks up, once a change: most ticks change none and ask several times."""
        self._states = {knob: track.state for knob, track in self._tracks.items()}
        known = {
            knob: state.requested if state.observed is None else state.observed
            for knob, state in self._states.items()
        }
        self._settings = Settings.of({k: value for k, value in known.items() if value is not None})
        asked = {
            knob: each for knob, each in self._tracks.items() if each.state.requested is not None
        }
        self._under_way = {knob: each for knob, each in asked.items() if not each.arrived}
        self._deviating = {
            knob: each
            for knob, each in asked.items()
            if knob in self._ours and each.state.observed not in (None, each.state.requested)
        }

    def _has_drifted(self, knob: str, track: _Track, time_s: float) -> bool:
        if track.arrived:
            return True
        if track.state.observed == track.replaced or not self.is_overdue(knob, time_s):
            return False
        return self._limit_shown(knob, track, time_s) is None

    def _limit_shown(self, knob: str, track: _Track, time_s: float) -> _Limit | None:
        """The number at which a request ended that was to go on, or ended before."""
        before, seen, asked = track.replaced, track.state.observed, track.state.requested
        if not (isinstance(before, int) and isinstance(seen, int) and isinstance(asked, int)):
            return None
        direction = self._knobs[knob].direction
        way = direction(seen, asked)
        known = self._limits.get(knob)
        again = known is not None and (known.value, known.direction) == (seen, way)
        if direction(before, seen) is way or (again and seen == before):
            return _Limit(seen, way, time_s + LIMIT_S)
        return None

    def _surpassed(self, knob: Knob, limit: _Limit) -> bool:
        """Whether the plant has more in force by now than it had shown as its limit."""
        observed = self._tracks[knob.id].state.observed
        return observed is not None and knob.direction(limit.value, observed) is limit.direction

    def _await_arrival(self, knob: Knob, track: _Track, time_s: float) -> None:
        """A shrink teaches nothing: what is given back is gone at once, what is asked for not."""
        state, before = track.state, track.replaced
        if track.since_s is None or state.requested is None:
            return
        waited_s = time_s - track.since_s
        if state.observed == state.requested:
            track.arrived = True
            was_seen = track.since_s == state.requested_at_s  # else nothing tells how long it took
            shrinks = before is not None and (
                knob.direction(before, state.requested) is Direction.SHRINK
            )
            if was_seen and not shrinks:
                self._delays_s[knob.id] += LEARNING_RATE * (waited_s - self._delays_s[knob.id])
        elif state.observed is None:
            track.arrived = track.presumed = waited_s >= self._delays_s[knob.id]
        if track.arrived:
            self._note()


def _await_anew(track: _Track, time_s: float) -> None:
    """Await a request that was presumed in force, once the plant says that another value is."""
    seen = track.state.observed
    if track.presumed and seen is not None:
        track.presumed = False
        if seen != track.state.requested:
            track.arrived, track.since_s = False, time_s


def _narrowed(knob: Knob, limit: _Limit) -> Knob:
    domain = knob.domain
    if isinstance(domain, Bounds):
        end = "high" if limit.direction is Direction.GROW else "low"
        return replace(knob, domain=replace(domain, **{end: limit.value}))
    if isinstance(domain, Choice):
        left = (v for v in domain.values if knob.direction(limit.value, v) is not limit.direction)
        return replace(knob, domain=Choice(tuple(left)))
    return knob


def _moved(knob: Knob, state: KnobState) -> str:
    why = f": {knob.undone}" if knob.undone else ""
    who = "our own watchdog" if knob.undone else "another hand"
    asked, seen = _in_words(state, knob)
    return (
        f"{who} set it to {seen} where {asked} was asked for{why}; "
        f"`kapellmeister resume --knob {knob.id}` accepts that"
    )


def _in_words(state: KnobState, knob: Knob) -> tuple[str, str]:
    """The value asked for and the value in force, in words."""
    return words(state.requested, knob), words(state.observed, knob)

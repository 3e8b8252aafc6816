"""A tick as plain JSON for the page: what is not known is null there, and never a zero."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from controller.plain_json import JsonValue
from controller.tick import Tick
from policies.knobs import Knob, KnobState, KnobValue, ThreadClass, ThreadClasses
from policies.observation import Invalid, Missing, Reading, StageTimes, Stale, Value, fresh
from policies.proposal import Change, Verification
from policies.words import scheduled

Plain = dict[str, JsonValue]
NO_KNOBS: Mapping[str, Knob] = MappingProxyType({})
NUMBER = re.compile(r"\d+(\.\d+)?")
"""Numbers in an alarm: one that differs in these only, how long it lasts, is the same one."""


def picture(tick: Tick, knobs: Mapping[str, Knob] = NO_KNOBS) -> Plain:
    """The picture of a tick for the page; `point` is what it plots, the rest stands in words.

    The plant's `knobs` say which classes of work it has.
    """
    return {
        "number": tick.number,
        "interval_s": _number(tick.observation.interval_s),
        "shadow": tick.shadow,
        "deadline_ms": tick.observation.deadline_ms,
        "no_deadline": tick.observation.no_deadline,
        "load_unit": tick.observation.load_unit,
        "point": _point(tick),
        "absent": _absent(tick),
        "forecast": _forecast(tick),
        "diagnosis": _diagnosis(tick),
        "stages": [_stage(name, times) for name, times in tick.observation.stages.items()],
        "readings": {name: _reading(each) for name, each in tick.observation.readings.items()},
        "knobs": list(_knobs(tick.states, knobs)),
        "unavailable": dict(tick.unavailable),
        "reason": tick.proposal.reason,
        "decisions": [_decision(tick, change, knobs) for change in tick.changes],
        "verdicts": [_verdict(each) for each in tick.verifications],
        "holds": [
            {
                "knob": hold.knob,
                "reason": hold.reason,
                "for_s": _number(tick.time_s - hold.since_s),
                "alarm": hold.alarm,
            }
            for hold in tick.holds
        ],
        "alarms": [
            {"time_s": tick.time_s, "text": text, "kind": NUMBER.sub("#", text)}
            for text in tick.alarms
        ],
        "tick_ms": _number(tick.duration_ms),
        "overruns": tick.overruns,
    }


def _point(tick: Tick) -> Plain:
    seen, forecast = tick.observation, tick.forecast
    return {
        "time_s": round(tick.time_s, 3),
        "load": _fresh(seen.load),
        "peak_p50": None if forecast is None else _number(forecast.peak_p50),
        "peak_p90": None if forecast is None else _number(forecast.peak_p90),
        "peak_p99": None if forecast is None else _number(forecast.peak_p99),
        "p50_ms": _fresh(seen.latency.p50_ms),
        "p99_ms": _fresh(seen.latency.p99_ms),
        "miss_rate": _fresh(seen.miss_rate),
        "blocks": None if seen.blocks is None else seen.blocks.submitted,
        "missed": None if seen.blocks is None else seen.blocks.missed,
    }


def _absent(tick: Tick) -> Plain:
    """Why a figure is not there, by its name among those that are plotted."""
    seen = tick.observation
    readings = {
        "load": seen.load,
        "p50_ms": seen.latency.p50_ms,
        "p99_ms": seen.latency.p99_ms,
        "miss_rate": seen.miss_rate,
    }
    return {name: why for name, each in readings.items() if (why := _why(each)) is not None}


def _why(reading: Reading) -> str | None:
    match reading:
        case Value():
            return None
        case Stale(value, age_s):
            return f"{value:.4g} was read {age_s:.0f} s ago"
        case Missing(reason) | Invalid(reason):
            return reason


def _forecast(tick: Tick) -> Plain | None:
    known = tick.forecast
    if known is None:
        return None
    horizon_s = _number(known.horizon_s)
    return {"model": known.model, "calibrated": known.calibrated, "horizon_s": horizon_s}


def _diagnosis(tick: Tick) -> Plain:
    found = tick.diagnosis
    return {
        "bottleneck": found.bottleneck.value,
        "summary": found.summary,
        "evidence": [
            {
                "name": each.name,
                "value": _number(each.value),
                "unit": each.unit,
                "limit": None if each.limit is None else _number(each.limit),
            }
            for each in found.evidence
        ],
        "breaches": [str(each) for each in found.breaches],
        "helpful_knobs": list(found.helpful_knobs),
    }


def _stage(name: str, times: StageTimes) -> Plain:
    return {
        "name": name,
        "lateness_p99_ms": _fresh(times.start_lateness.p99_ms),
        "service_p50_ms": _fresh(times.service_time.p50_ms),
        "service_p99_ms": _fresh(times.service_time.p99_ms),
    }


def _knobs(states: Mapping[str, KnobState], knobs: Mapping[str, Knob]) -> Iterator[Plain]:
    for name, state in states.items():
        yield from _knob(name, state, knobs.get(name))


def _knob(name: str, state: KnobState, knob: Knob | None) -> Iterator[Plain]:
    """The rows of a knob: one, or one for each class of work that the knob schedules."""
    states = {
        "planned": state.planned,
        "requested": state.requested,
        "in_force": state.observed,
    }
    if not any(isinstance(value, ThreadClasses) for value in states.values()):
        yield {"knob": name, "part": None, **{state: _word(each) for state, each in states.items()}}
        return
    parts = {state: scheduled(each, knob) for state, each in states.items()}
    for part in dict.fromkeys(part for known in parts.values() for part in known):
        how = {state: _word(parts[state].get(part)) for state in states}
        yield {"knob": name, "part": part, **how}


def _decision(tick: Tick, change: Change, knobs: Mapping[str, Knob]) -> Plain:
    action, load = change.action, fresh(tick.observation.load)
    expected = action.effect.at(load)
    return {
        "id": change.id,
        "time_s": tick.time_s,
        "knob": action.knob,
        "turn": _turn(change.previous, action.value, knobs.get(action.knob)),
        "reason": action.reason,
        "bottleneck": tick.diagnosis.bottleneck.value,
        "shadow": tick.shadow,
        "quantity": action.effect.quantity,
        "unit": action.effect.unit,
        "changed": _number(expected.changed),
        "unchanged": _number(expected.unchanged),
        "verdict": None,
    }


def _verdict(found: Verification) -> Plain:
    return {
        "id": found.change_id,
        "verdict": found.verdict.value,
        "changed": _number(found.expected.changed),
        "unchanged": _number(found.expected.unchanged),
        "measured": None if found.measured is None else _number(found.measured),
        "reason": found.reason,
    }


def _turn(before: KnobValue, after: KnobValue, knob: Knob | None) -> str:
    """A turn from one value to another; of classes of work, only those that differ."""
    if isinstance(before, ThreadClasses) and isinstance(after, ThreadClasses):
        pairs = zip(scheduled(before, knob).items(), scheduled(after, knob).items(), strict=True)
        changed = [
            f"{name} {_word(old)} → {_word(new)}" for (name, old), (_, new) in pairs if old != new
        ]
        return "; ".join(changed)
    return f"{before} → {after}"


def _word(value: KnobValue | ThreadClass | None) -> str | None:
    return None if value is None else str(value).replace("<=", "≤")


def _reading(reading: Reading) -> JsonValue:
    """The number of a reading, or why there is none."""
    return _why(reading) or _fresh(reading)


def _fresh(reading: Reading) -> float | None:
    value = fresh(reading)
    return None if value is None else _number(value)


def _number(value: float) -> float | None:
    """Six figures are more than a page can show; what JSON cannot write is not known."""
    return float(f"{value:.6g}") if math.isfinite(value) else None

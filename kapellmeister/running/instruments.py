"""The onlookers of a run, each as the configuration asks: metrics, a page, a view."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from rich.console import Console

from controller.config.config import Config
from controller.loop import Instrument
from controller.plain_json import JsonValue
from controller.plants.plant import Plant
from controller.tick import Tick
from kapellmeister.running.tally import Tally
from policies.objective import Objective
from policies.policy import Policy

if TYPE_CHECKING:
    from controller.instruments.dashboard.process import Dashboard
    from controller.instruments.prometheus import Exposition


def serve_metrics(stack: ExitStack, config: Config) -> tuple[Exposition, ...]:
    """Serve metrics, where they are asked for: a port in use is told before anything starts."""
    if not config.metrics.port:
        return ()
    from controller.instruments.prometheus import Exposition

    return (stack.enter_context(closing(Exposition(config.metrics.port))),)


def serve_page(
    stack: ExitStack, config: Config, say: Callable[[str], None]
) -> tuple[Dashboard, ...]:
    """The live page, in a process of its own, whose port is taken before anything sounds."""
    if not config.dashboard.serve:
        return ()
    from controller.instruments.dashboard.process import Dashboard

    dashboard = stack.enter_context(closing(Dashboard(config.dashboard.port, say)))
    say(f"the live page is at {dashboard.url}")
    return (dashboard,)


def facts(
    plant: Plant,
    policy: Policy,
    config: Config,
    objective: Objective,
    acting: frozenset[str] | None,
    duration_s: float | None,
) -> dict[str, JsonValue]:
    """Facts of a run for the live page: null for `acting` on all knobs, and for no end."""
    return {
        "plant": plant.name,
        "policy": policy.name,
        "acting": None if acting is None else list[JsonValue](sorted(acting)),
        "deadline_ms": objective.deadline_ms,
        "target_miss_rate": objective.target_miss_rate,
        "interval_s": config.loop.interval_s,
        "duration_s": duration_s,
    }


def draw_live(
    stack: ExitStack,
    console: Console | None,
    plant: Plant,
    policy: str,
    objective: Objective,
    duration_s: float | None,
    tally: Tally,
) -> tuple[Instrument, ...]:
    """The live view, whose cost is not that of control."""
    if console is None:
        return ()
    from kapellmeister.running.live_view import LiveView

    view = stack.enter_context(LiveView(console, policy, objective, duration_s, plant.knobs))

    def draw(tick: Tick) -> None:
        started_s = time.process_time()
        view(tick)
        tally.leave_out(time.process_time() - started_s)

    return (draw,)

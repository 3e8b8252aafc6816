"""How the quantum of a server is forced, and restored as it was."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from controller.plants.audio_server.original_setting import OriginalSetting
from controller.plants.pipewire.command_line import dump, forcing, run
from controller.plants.pipewire.pw_dump import Graph
from controller.watchdog.restoration import LEFT_ALONE

PLAYED = "--played"


def force(graph: Graph, wanted: int, played: int) -> str | None:
    """Force a quantum, or none by 0, where `played` was played before; returns what was refused.

    A node that locks the quantum goes on to hold what was forced last (so in 0.3.65): where there
    is one by now, what was played is forced first.
    """
    steps = (played, wanted) if played and not wanted and graph.locked_by else (wanted,)
    refusals = (run(forcing(each)) for each in steps)
    return next((each for each in refusals if each is not None), None)


def restore(arguments: Sequence[str]) -> str | int | None:
    """Restore it as the arguments say: the status to end with, or why it could not."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(PLAYED, type=int, default=0)
    own, others = parser.parse_known_args(arguments)
    original, graph = OriginalSetting.parse(others), Graph()
    graph.feed(dump())
    cookie, forced = str(graph.server[1]), graph.setting("clock.force-quantum")
    if not original.is_ours(cookie, forced):
        return LEFT_ALONE
    return force(graph, original.found, own.played)

"""The streams of a simulated plant on its nodes: as even as whole streams can be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from policies.latency import Calibration
from simulators.levels.draws import CONTENTION, uniform
from simulators.levels.level import Work
from simulators.plant.conditions import Conditions
from simulators.plant.nodes import Node
from simulators.plant.service import Groups

NO_GROUPS = Groups()
Counts = tuple[int, int, int, int]
"""Nodes with a stream more than the others in the quiet and in the contended regime, then the
others in both."""


class Placement:
    """Groups nodes with the same streams in the same regime, each grouping worked out once."""

    def __init__(self, calibration: Calibration, seed: int, work: Work) -> None:
        self._calibration = calibration
        self._seed = seed
        self._work = work
        self._groups: dict[tuple[int, Counts, float, float], Groups] = {}

    def use(self, work: Work) -> None:
        """Give each node this work from now on, but for its streams and what disturbs it."""
        self._work = work
        self._groups.clear()

    def placed(
        self, streams: int, serving: Sequence[Node], now_s: float, conditions: Conditions
    ) -> tuple[Groups, Sequence[Node]]:
        """The groups, and the nodes in their order."""
        if not streams:
            return NO_GROUPS, ()
        each, more = divmod(streams, len(serving))
        if conditions.noisy_neighbour:
            return self._grouped(each, (0, more, 0, len(serving) - more), conditions), serving
        if self._calibration.contended_share <= 0.0:
            return self._grouped(each, (more, 0, len(serving) - more, 0), conditions), serving
        fuller, others = (
            self._by_regime(nodes, now_s) for nodes in (serving[:more], serving[more:])
        )
        counts = len(fuller[0]), len(fuller[1]), len(others[0]), len(others[1])
        return self._grouped(each, counts, conditions), list(chain(*fuller, *others))

    def _by_regime(self, nodes: Sequence[Node], now_s: float) -> tuple[list[Node], list[Node]]:
        """The quiet ones, and the contended."""
        quiet, contended = list[Node](), list[Node]()
        for node in nodes:
            (contended if self._is_contended(node, now_s) else quiet).append(node)
        return quiet, contended

    def _is_contended(self, node: Node, now_s: float) -> bool:
        """Spells of the mean length, each contended or not by a draw of its own."""
        spell = int(now_s / self._calibration.contended_mean_s)
        draw = uniform(self._seed, node.number, spell, CONTENTION)
        return bool(draw < self._calibration.contended_share)

    def _grouped(self, each: int, counts: Counts, conditions: Conditions) -> Groups:
        key = each, counts, conditions.slowdown, conditions.link_factor
        groups = self._groups.get(key)
        if groups is None:
            groups = self._groups[key] = self._worked_out(each, counts, conditions)
        return groups

    def _worked_out(self, each: int, counts: Counts, conditions: Conditions) -> Groups:
        held = (each + 1, False), (each + 1, True), (each, False), (each, True)
        nodes = sum(counts) if self._calibration.link is not None else 1
        return Groups(
            tuple(
                (self._disturbed(streams, nodes, conditions, contended=contended), count)
                for (streams, contended), count in zip(held, counts, strict=True)
                if count
            )
        )

    def _disturbed(
        self, streams: int, nodes: int, conditions: Conditions, *, contended: bool
    ) -> Work:
        """The work of a node with so many streams; `replace` would take three times as long."""
        return Work(
            streams=streams,
            batch_size=self._work.batch_size,
            vram_block_bytes=self._work.vram_block_bytes,
            scheduling=self._work.scheduling,
            contended=contended,
            slowdown=conditions.slowdown,
            link_factor=conditions.link_factor,
            nodes=nodes,
        )

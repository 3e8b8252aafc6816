"""Nodes beside the workers of a farm: wanted against observed, and what to ask for next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from controller.executors.cluster.membership.dask_farm import Worker
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.executors.cluster.membership.membership import NodeState
from controller.executors.cluster.membership.roster import Roster

NEED_A_WORKER = (NodeState.WANTED, NodeState.STARTING, NodeState.READY, NodeState.DRAINING)


class Places(Protocol):
    """The part of a farm that is read here."""

    def workers(self) -> tuple[Worker, ...]:
        """Workers that are seen."""
        ...

    def planned(self) -> frozenset[str]:
        """Places that there should be workers at."""
        ...


class Reconciler:
    """Knows which node is beside which worker, and since when a place has had none."""

    def __init__(self, roster: Roster, places: Places, settings: DaskSettings) -> None:
        self._roster = roster
        self._places = places
        self._settings = settings
        self._beside: dict[str, str] = {}
        self._absent_since_s: dict[str, float] = {}
        self._seen: set[str] = set()
        self._mute: set[str] = set()

    def worker_of(self, node: str) -> str | None:
        """The address of the worker that a node is beside."""
        return self._beside.get(node)

    def silences(self, address: str) -> None:
        """Note that a worker does not answer: its place is to be filled anew."""
        self._mute.add(address)

    def leaves(self, node: str) -> None:
        """Note that a node is no longer beside its worker."""
        self._beside.pop(node, None)

    def observe(self, now_s: float) -> None:
        """Lose the nodes whose worker is gone, and note which places have none."""
        workers = self._places.workers()
        addresses = {worker.address for worker in workers}
        for node in [each for each, where in self._beside.items() if where not in addresses]:
            self.leaves(node)
            self._roster.loses(node, "its Dask worker is gone")
        self._forget_unwanted()
        self._mute &= addresses
        self._note_absences({worker.place for worker in workers}, now_s)

    def matches(self) -> list[tuple[str, str]]:
        """Node and address of a worker for each that can be started now; they count as beside."""
        wanted = [node.name for node in self._roster.of(NodeState.WANTED)]
        waiting = [name for name in wanted if name not in self._beside]
        free = [worker.address for worker in self._free() if worker.address not in self._mute]
        matched = list(zip(waiting, free, strict=False))
        self._beside.update(matched)
        return matched

    def needed(self) -> int:
        """The number of workers that there should be."""
        return len(self._roster.of(*NEED_A_WORKER))

    def to_retire(self, now_s: float) -> tuple[str, ...]:
        """Places to be given up: those whose worker stays away, and those beyond what is needed."""
        planned = self._places.planned()
        away = [place for place in planned if self._is_overdue(place, now_s)]
        mute = [each.place for each in self._places.workers() if each.address in self._mute]
        useless = dict.fromkeys([*away, *mute])
        surplus = len(planned) - len(useless) - self.needed()
        idle = [place for place in self._idle(planned) if place not in useless]
        return (*useless, *idle[: max(0, surplus)])

    def _forget_unwanted(self) -> None:
        """Have the workers free of nodes that were dropped before they had started."""
        known = {node.name for node in self._roster.nodes()}
        for node in self._beside.keys() - known:
            self.leaves(node)

    def _free(self) -> Iterable[Worker]:
        taken = set(self._beside.values())
        return (each for each in self._places.workers() if each.address not in taken)

    def _idle(self, planned: frozenset[str]) -> list[str]:
        """Places without a node, those that no worker is at first."""
        seen = {worker.place for worker in self._places.workers()}
        free = {worker.place for worker in self._free()}
        return [*sorted(planned - seen), *sorted(planned & free)]

    def _note_absences(self, seen: set[str], now_s: float) -> None:
        planned = self._places.planned()
        self._seen = (self._seen | seen) & planned
        absent = planned - seen
        known = self._absent_since_s
        self._absent_since_s = {place: known.get(place, now_s) for place in absent}

    def _is_overdue(self, place: str, now_s: float) -> bool:
        if place not in self._absent_since_s:
            return False
        settings = self._settings
        patience_s = settings.nanny_grace_s if place in self._seen else settings.pending_patience_s
        return now_s - self._absent_since_s[place] > patience_s

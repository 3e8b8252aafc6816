"""The process that keeps a Dask cluster: its scheduler shares no interpreter with the sound."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Coroutine, Mapping
from typing import Any

from controller.errors import MembershipError
from controller.executors.cluster.membership import beside
from controller.executors.cluster.membership.back_off import BackOff
from controller.executors.cluster.membership.dask_farm import (
    CONFIGURATION,
    EXTRA,
    Farm,
    open_cluster,
)
from controller.executors.cluster.membership.dask_options import ENGINE
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.executors.cluster.membership.membership import NodeCommand, NodeState
from controller.executors.cluster.membership.node_lines import Told
from controller.executors.cluster.membership.reconciler import Reconciler
from controller.executors.cluster.membership.roster import Roster
from controller.linux.prctl import name_process
from controller.plain_json import from_plain, to_plain

STEP_S = 0.03
"""Interval, s, between two looks at the workers."""
TOLD_EVERY_S = 1.0
"""Interval, s, at which the nodes are told although none has changed."""
ANSWER_S = 5.0
"""Time, s, in which a worker has to start a node."""


class DaskManager:
    """Starts nodes beside workers, and has as many workers as it takes."""

    def __init__(self, command: NodeCommand, settings: DaskSettings, cluster: Any, client: Any):
        self._command = command
        self._client = client
        self._farm = Farm(cluster)
        self._roster = Roster(f"dask-{secrets.token_hex(2)}", time.monotonic)
        self._reconciler = Reconciler(self._roster, self._farm, settings)
        self._back_off = BackOff()
        self._under_way: set[asyncio.Task[None]] = set()
        self._farm_back_off = BackOff()
        self._correcting: asyncio.Task[None] | None = None
        self._told_s = 0.0
        self.is_closing = False

    def obey(self, order: Mapping[str, Any]) -> None:
        """Take an order: want, release, give_up or close."""
        if "want" in order:
            self._roster.want(int(order["want"]))
        elif "release" in order:
            self._end(order["release"])
            self._roster.forget(order["release"])
        elif "give_up" in order:
            node, reason = order["give_up"]
            self._end(node)
            self._roster.loses(node, reason)
        self.is_closing = self.is_closing or "close" in order

    async def run(self) -> None:
        """Keep the cluster until it is to be closed."""
        self._client.subscribe_topic(beside.TOPIC, self._hear)
        while not self.is_closing:
            self._step(time.monotonic())
            await asyncio.sleep(STEP_S)

    def _step(self, now_s: float) -> None:
        self._reconciler.observe(now_s)
        if self._back_off.allows(now_s):
            for node, worker in self._reconciler.matches():
                self._in_background(self._start(node, worker))
        self._correct(now_s)
        self._tell(now_s)

    def _correct(self, now_s: float) -> None:
        if self._is_correcting() or not self._farm_back_off.allows(now_s):
            return
        needed = self._reconciler.needed()
        if places := self._reconciler.to_retire(now_s):
            self._correcting = self._in_background(self._try(self._farm.retire(places)))
        elif needed > len(self._farm.planned()):
            self._correcting = self._in_background(self._try(self._farm.ask(needed)))

    def _is_correcting(self) -> bool:
        return self._correcting is not None and not self._correcting.done()

    async def _try(self, correction: Coroutine[Any, Any, None]) -> None:
        try:
            await correction
        except Exception as error:  # noqa: BLE001 - any cluster's own, by anybody
            self._farm_back_off.fails(time.monotonic())
            self._roster.waits(f"the cluster has no worker for it: {error}")
        else:
            self._farm_back_off.succeeds()

    async def _start(self, node: str, worker: str) -> None:
        try:
            await self._on_worker(worker, beside.start_beside, self._command, node)
        except TimeoutError:
            self._reconciler.silences(worker)
            self._fail(node, f"the Dask worker {worker} does not answer")
        except Exception as error:  # noqa: BLE001 - whatever keeps the worker from it
            self._fail(node, f"the Dask worker {worker} cannot start it: {error}")

    async def _on_worker(self, worker: str, run: Any, *arguments: Any) -> Any:
        done = self._client.run(run, *arguments, workers=[worker])
        return (await asyncio.wait_for(done, ANSWER_S))[worker]

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        told = event[1]
        node = told["node"]
        if "pid" in told:
            if not self._roster.starts(node, told["host"], told["pid"]):  # wanted no longer
                self._reconciler.leaves(node)
                self._in_background(self._try_end(node, told["worker"]))
        elif "ended" in told:
            self._lose(node, told["ended"])
        else:
            if told["ready"]:
                self._back_off.succeeds()
            self._roster.hears(node, Told(told["ready"], told["reason"], told["address"]))

    def _lose(self, name: str, status: str) -> None:
        states = {node.name: node for node in self._roster.nodes()}
        if name in states and states[name].state in (NodeState.WANTED, NodeState.STARTING):
            self._fail(name, f"{status} before it was ready; last it said: {states[name].reason}")
            return
        self._reconciler.leaves(name)
        self._roster.loses(name, status)

    def _fail(self, node: str, reason: str) -> None:
        self._back_off.fails(time.monotonic())
        self._reconciler.leaves(node)
        self._roster.loses(node, reason)

    def _end(self, node: str) -> None:
        if (worker := self._reconciler.worker_of(node)) is not None:
            self._in_background(self._try_end(node, worker))
        self._reconciler.leaves(node)

    async def _try_end(self, node: str, worker: str) -> None:
        try:
            await self._on_worker(worker, beside.end_beside, node)
        except Exception:  # noqa: BLE001 - whatever keeps the worker from it, it has to go
            self._reconciler.silences(worker)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    def _tell(self, now_s: float) -> None:
        events = self._roster.events()
        if events or now_s - self._told_s > TOLD_EVERY_S:
            self._told_s = now_s
            told = {"wanted": self._roster.wanted, "nodes": to_plain(self._roster.nodes())}
            _say(told | {"events": to_plain(events)})


async def manage(command: NodeCommand, settings: DaskSettings) -> None:
    """Open the cluster, keep it for as long as there is somebody to give orders, and close it."""
    try:
        import dask

        dask.config.set(CONFIGURATION)  # before the import that reads it
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MembershipError(ENGINE, f"{error.name} is not installed", EXTRA) from error
    cluster = await open_cluster(settings)
    try:
        async with Client(cluster, asynchronous=True) as client:
            manager = DaskManager(command, settings, cluster, client)
            orders = asyncio.ensure_future(_listen(manager))
            await manager.run()
            orders.cancel()
    finally:
        await cluster.close()


async def _listen(manager: DaskManager) -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        manager.obey(json.loads(line))
    manager.is_closing = True


def _say(told: Mapping[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def main() -> None:
    """Keep the cluster that the first argument describes, in JSON."""
    name_process("km-dask")
    described = json.loads(sys.argv[1])
    try:
        command = from_plain(described["command"], NodeCommand)
        asyncio.run(manage(command, from_plain(described["settings"], DaskSettings)))
    except MembershipError as error:
        _say({"error": [error.why, error.remedy]})


if __name__ == "__main__":
    main()

"""Reads `pw-dump --monitor`: the settings, clients, nodes and links of a PipeWire server."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NODE, CLIENT, LINK, CORE = (
    f"PipeWire:Interface:{each}" for each in ("Node", "Client", "Link", "Core")
)
METADATA = "PipeWire:Interface:Metadata"


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the graph.

    `shows` is whether it has pictures, not sound; `driver` the node that drives it, None where
    that is not told, as by 0.3.65 never. `locks` is whether it wants the quantum left as it is,
    `forces` the one that it forces itself, `latency` the one that it asks for and at which rate.
    Zeros where nothing is told.
    """

    id: int
    name: str
    runs: bool = False
    drives: bool = False
    shows: bool = False
    freewheels: bool = False
    driver: int | None = None
    priority: int = 0
    client: int | None = None
    groups: frozenset[str] = frozenset()
    rate_hz: int = 0
    locks: bool = False
    forces: int = 0
    latency: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the server saw it connect, which is all of it that can be trusted.

    `serial` is another for each client; `pid` counts in the server's namespace.
    """

    id: int
    serial: int
    pid: int


class Graph:
    """The server's objects, kept up to date by arrays of those that changed.

    `feed` takes the text as it comes. What ends is announced without its `info`; of the
    settings only those that changed are told again.
    """

    def __init__(self) -> None:
        self._text = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._decoder = json.JSONDecoder()
        self._core: Mapping[str, Any] = {}
        self._settings: dict[str, object] = {}
        self._all_clients: dict[int, Client] = {}
        self.nodes: dict[int, Node] = {}
        self.links: dict[int, tuple[int, int]] = {}
        """Nodes that each link leads from and to, by the link's id."""

    def feed(self, chunk: bytes) -> bool:
        """Take more of the text; whether that completes an array."""
        self._text = (self._text + self._decode(chunk)).lstrip()
        told = False
        while self._text:
            try:
                changed, end = self._decoder.raw_decode(self._text)
            except json.JSONDecodeError:
                break  # the rest of this array is still to come
            self._text = self._text[end:].lstrip()
            self._take(changed)
            told = True
        return told

    @property
    def is_known(self) -> bool:
        """Whether the server has told of itself and of its settings."""
        return bool(self.server[0] and self.setting("clock.rate") and self.setting("clock.quantum"))

    @property
    def server(self) -> tuple[str, int]:
        """The server's name, and a number that another start of it would not share."""
        return str(self._core.get("name", "")), _number(self._core.get("cookie"))

    @property
    def server_pid(self) -> int:
        """The process that the server says it is, in its own namespace; 0 where it does not."""
        return _number(_properties(self._core).get("application.process.id"))

    def setting(self, key: str) -> int:
        """A number among the settings, `clock.force-quantum` say; 0 where it is not set."""
        return _number(self._settings.get(key))

    @property
    def locked_by(self) -> str:
        """A node at work that wants the quantum left as it is, or forces its own; "" if none."""
        locking = (each.name for each in self.nodes.values() if each.runs and each.locks)
        return next(locking, "")

    @property
    def clients(self) -> dict[int, Client]:
        """The clients that have nodes, by their ids."""
        owners = {node.client for node in self.nodes.values()}
        return {each: client for each, client in self._all_clients.items() if each in owners}

    def _take(self, changed: Iterable[Mapping[str, Any]]) -> None:
        for each in changed:
            number, info = each["id"], each.get("info")
            if each.get("type") == METADATA:
                if each.get("props", {}).get("metadata.name") == "settings":
                    self._settings |= {item["key"]: item["value"] for item in each["metadata"]}
            elif info is None:
                for objects in (self.nodes, self.links, self._all_clients):
                    objects.pop(number, None)
            elif each.get("type") == CORE:
                self._core = info
            elif each.get("type") == NODE:
                self.nodes[number] = _node(number, info)
            elif each.get("type") == LINK:
                self.links[number] = (info["output-node-id"], info["input-node-id"])
            elif each.get("type") == CLIENT:
                self._all_clients[number] = _client(number, _properties(info))


def _node(number: int, info: Mapping[str, Any]) -> Node:
    properties = _properties(info)
    driver, client = properties.get("node.driver-id"), properties.get("client.id")
    forces = _number(properties.get("node.force-quantum"))
    return Node(
        id=number,
        name=str(properties.get("node.name", number)),
        runs=info.get("state") == "running",
        drives=properties.get("node.driver") is True,
        shows="Video" in str(properties.get("media.class")),
        freewheels=properties.get("node.freewheel") is True,
        driver=driver if isinstance(driver, int) else None,
        priority=_number(properties.get("priority.driver")),
        client=client if isinstance(client, int) else None,
        groups=frozenset(_groups(properties)),
        rate_hz=_rate(info.get("params") or {}),
        locks=properties.get("node.lock-quantum") is True or forces > 0,
        forces=forces,
        latency=_fraction(properties.get("node.latency")),
    )


def _client(number: int, properties: Mapping[str, Any]) -> Client:
    serial, pid = (properties.get(each) for each in ("object.serial", "pipewire.sec.pid"))
    return Client(number, _number(serial), _number(pid))


def _groups(properties: Mapping[str, Any]) -> Iterator[str]:
    """Nodes that share one of these are driven together, linked or not."""
    for kind in ("node.group", "node.link-group"):
        for group in str(properties.get(kind) or "").split(","):
            if group.strip():
                yield f"{kind} {group.strip()}"


def _rate(params: Mapping[str, Any]) -> int:
    formats = params.get("Format") or [{}]
    return _number(formats[0].get("rate"))


def _fraction(value: object) -> tuple[int, int]:
    """A latency such as 256/48000; (0, 0) for what is none."""
    above, _, below = str(value).partition("/")
    return (int(above), int(below)) if above.isdecimal() and below.isdecimal() else (0, 0)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _properties(info: Mapping[str, Any]) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = info.get("props") or {}
    return properties

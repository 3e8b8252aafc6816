"""What `pw-dump --monitor` says of a PipeWire server: its settings, clients and nodes."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

NODE, CLIENT, CORE = (f"PipeWire:Interface:{each}" for each in ("Node", "Client", "Core"))
METADATA = "PipeWire:Interface:Metadata"


class Graph:
    """The server's objects, kept up to date by arrays of those that changed.

    `feed` takes the text as it comes. What ends is announced without its `info`; of the
    settings only those that changed are told again.
    """

    def __init__(self) -> None:
        self._text = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._decoder = json.JSONDecoder()
        self._objects: dict[int, Mapping[str, Any]] = {}
        self._settings: dict[str, object] = {}

    def feed(self, chunk: bytes) -> None:
        """Take more of the text."""
        self._text = (self._text + self._decode(chunk)).lstrip()
        while self._text:
            try:
                changed, end = self._decoder.raw_decode(self._text)
            except json.JSONDecodeError:
                break  # the rest of this array is still to come
            self._text = self._text[end:].lstrip()
            self._take(changed)

    @property
    def is_known(self) -> bool:
        """Whether the server has told of itself and of its settings."""
        return bool(self.server[0] and self.setting("clock.rate") and self.setting("clock.quantum"))

    @property
    def server(self) -> tuple[str, int]:
        """The server's name, and a number that another start of it would not share."""
        for each in self._of(CORE):
            return str(each["info"].get("name", "")), int(each["info"].get("cookie", 0))
        return "", 0

    def setting(self, key: str) -> int:
        """A number among the settings, `clock.force-quantum` say; 0 where it is not set."""
        value = self._settings.get(key)
        return value if isinstance(value, int) else 0

    @property
    def plays(self) -> bool:
        """Whether any node that can drive a graph is at work."""
        return any(self._drivers())

    @property
    def rate_hz(self) -> int:
        """The rate of a driver at work, which may be another than the server's own."""
        formats = (each["info"].get("params", {}).get("Format") for each in self._drivers())
        rates = (each[0].get("rate") for each in formats if each)
        return next((each for each in rates if each), None) or self.setting("clock.rate")

    @property
    def clients(self) -> tuple[int, ...]:
        """Processes of the clients that have nodes, as the server saw them connect."""
        owners = {_properties(each).get("client.id") for each in self._of(NODE)}
        processes = {
            _properties(each).get("pipewire.sec.pid")
            or _properties(each).get("application.process.id")
            for each in self._of(CLIENT)
            if each["id"] in owners
        }
        return tuple(sorted(pid for pid in processes if isinstance(pid, int)))

    def _take(self, changed: Iterable[Mapping[str, Any]]) -> None:
        for each in changed:
            if each.get("type") == METADATA:
                if each.get("props", {}).get("metadata.name") == "settings":
                    self._settings |= {item["key"]: item["value"] for item in each["metadata"]}
            elif each.get("info") is None:
                self._objects.pop(each["id"], None)
            else:
                self._objects[each["id"]] = each

    def _drivers(self) -> Iterator[Mapping[str, Any]]:
        return (
            each
            for each in self._of(NODE)
            if each["info"].get("state") == "running" and _properties(each).get("node.driver")
        )

    def _of(self, kind: str) -> Iterator[Mapping[str, Any]]:
        return (each for each in self._objects.values() if each.get("type") == kind)


def _properties(each: Mapping[str, Any]) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = each["info"].get("props") or {}
    return properties

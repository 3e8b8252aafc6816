"""Requests to a service that may be slow, gone or hostile: bounded in time and in size."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

LARGEST_BYTES = 4 << 20
"""Length of an answer, bytes, beyond which it is refused: about a page of ten thousand samples."""
LONGEST_REASON = 200
GATEWAY = frozenset({502, 504})
"""Statuses with which something on the way speaks for a service that it lost."""
PASSING = frozenset({408, 425, 429})
"""Statuses below 500 that another attempt may not meet."""


class RequestError(Exception):
    """No usable answer, and why.

    `passing` where the next attempt may well have one; `uncertain` where the request may have
    been heard all the same, so that what it asked for may yet come.
    """

    def __init__(self, why: str, *, passing: bool = True, uncertain: bool = False) -> None:
        super().__init__(why)
        self.passing = passing
        self.uncertain = uncertain


@dataclass(frozen=True, slots=True)
class Answer:
    """The content of an answer with a status of success."""

    text: str
    content_type: str


class HttpClient:
    """A client with a connection for each request: no redirect is followed, and no proxy asked.

    All of a request, connecting included, ends within about `timeout_s`, however slowly the
    answer drips.
    """

    def __init__(self, timeout_s: float, token: str | None = None) -> None:
        self._timeout_s = timeout_s
        self._headers = {"User-Agent": "kapellmeister", "Connection": "close"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, url: str, accept: str) -> Answer:
        """Read. Raises RequestError."""
        return self._ask("GET", url, None, {"Accept": accept})

    def put(self, url: str, content: object) -> Answer:
        """Write JSON. Raises RequestError."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return self._ask("PUT", url, json.dumps(content).encode(), headers)

    def _ask(self, method: str, url: str, body: bytes | None, more: Mapping[str, str]) -> Answer:
        connection = _connection(url, self._timeout_s)
        cut, sent = threading.Event(), False
        try:
            connection.connect()
            sent = True
            with _cut_off(connection.sock, self._timeout_s, cut):
                connection.request(method, _path(url), body, {**self._headers, **more})
                return _answer(connection.getresponse(), cut)
        except (OSError, HTTPException, ValueError) as error:
            late = cut.is_set() or isinstance(error, TimeoutError)
            why = f"no answer within {self._timeout_s:g} s" if late else _reason(error)
            raise RequestError(why, uncertain=sent) from error
        finally:
            connection.close()


def _connection(url: str, timeout_s: float) -> HTTPConnection:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@contextlib.contextmanager
def _cut_off(sock: socket.socket, timeout_s: float, cut: threading.Event) -> Iterator[None]:
    """Hang up after `timeout_s`: the timeout of a socket starts over with each byte."""

    def hang_up() -> None:
        cut.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answer(response: HTTPResponse, cut: threading.Event) -> Answer:
    with response:
        content = response.read(LARGEST_BYTES + 1)
    if cut.is_set():  # what ended here may be half an answer
        raise TimeoutError
    if len(content) > LARGEST_BYTES:
        raise RequestError(f"the answer is longer than {LARGEST_BYTES >> 20} MiB")
    text = content.decode(errors="replace")
    if 200 <= response.status < 300:
        return Answer(text, response.headers.get("Content-Type", ""))
    if 300 <= response.status < 400:
        where = plain_line(response.headers.get("Location", "elsewhere"))
        why = f"{response.status}: sent on to {where}, which is not followed"
        raise RequestError(why, passing=False)
    passing = response.status >= 500 or response.status in PASSING
    told = _told(text)
    why = f"{response.status} {plain_line(response.reason)}".rstrip()
    why = f"{why}: {told}" if told else why
    raise RequestError(why, passing=passing, uncertain=response.status in GATEWAY)


def _told(text: str) -> str:
    """The reason that the service gives, in our contract's form or any short line."""
    try:
        found = json.loads(text)
    except ValueError:
        return "" if "<" in text else plain_line(text)
    error = found.get("error") if isinstance(found, dict) else None
    return plain_line(error) if isinstance(error, str) else ""


def plain_line(text: str) -> str:
    """A short line out of what a stranger sent, in which nothing moves a terminal's cursor."""
    plain = "".join(each if each.isprintable() else " " for each in text[: 4 * LONGEST_REASON])
    return " ".join(plain.split())[:LONGEST_REASON]


def _reason(error: Exception) -> str:
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return plain_line(str(told))

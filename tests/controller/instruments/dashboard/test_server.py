"""The live page can be read, by this machine alone, and nobody who reads holds up another."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from controller.instruments.dashboard import server
from controller.instruments.dashboard.history import History
from controller.instruments.dashboard.server import BEHIND, Broadcast, EventStream, make_app

RUN = {"plant": "builtin", "interval_s": 1.0}
TICK = {"number": 1, "point": {"time_s": 1.0}, "decisions": [], "verdicts": [], "alarms": []}


def broadcast() -> Broadcast:
    return Broadcast(History(RUN))


def ask(method: str, path: str, host: str = "127.0.0.1:8377") -> httpx.Response:
    told = broadcast()
    told.end()

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(told))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers={"host": host})

    return asyncio.run(asked())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/events", "/static/page.js"])
def test_nothing_but_reading_is_allowed(method: str, path: str) -> None:
    assert ask(method, path).status_code == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8377", "127.0.0.1.evil.example", ""]
)
def test_who_asks_by_a_foreign_name_is_refused(host: str) -> None:
    answer = ask("GET", "/events", host)
    assert (answer.status_code, answer.text) == (421, "this page is for this machine alone\n")


@pytest.mark.parametrize("host", ["127.0.0.1:8377", "localhost:8377", "localhost"])
def test_this_machine_is_answered(host: str) -> None:
    assert "<title>Kapellmeister</title>" in ask("GET", "/", host).text


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/page.js", "text/javascript"),
        ("/static/page.css", "text/css"),
        ("/static/uPlot.iife.min.js", "text/javascript"),
        ("/static/icon.svg", "image/svg+xml"),
    ],
)
def test_its_files_are_served_as_what_they_are(path: str, kind: str) -> None:
    answer = ask("GET", path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize("path", ["/server.py", "/static/../server.py", "/static/%2e%2e/server.py"])
def test_no_other_file_is_served(path: str) -> None:
    assert ask("GET", path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/events", "/static/page.js", "/nothing"])
def test_a_browser_may_load_nothing_from_elsewhere(path: str) -> None:
    headers = ask("GET", path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/events", "/static/page.js"])
def test_what_a_browser_kept_is_not_shown_after_an_upgrade(path: str) -> None:
    assert ask("GET", path).headers.get_list("cache-control") == ["no-cache"]


def events_of(text: str) -> list[tuple[str, Any]]:
    """Names and data of server-sent events."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((fields["event"], json.loads(fields["data"])))
    return found


async def next_of(stream: AsyncIterator[str]) -> tuple[str, Any]:
    ((name, data),) = events_of(await anext(stream))
    return name, data


def test_who_comes_after_the_end_is_shown_the_run_and_its_end() -> None:
    answer = ask("GET", "/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    (first, whole), last = events_of(answer.text)
    assert (first, whole["run"], last) == ("history", RUN, ("end", {}))


def test_each_tick_is_told_to_every_page_after_what_was_before() -> None:
    async def play() -> None:
        told = broadcast()
        told.tick(json.dumps(TICK))
        pages = [told.events(), told.events()]
        for page in pages:
            name, whole = await next_of(page)
            assert (name, whole["last"]["number"]) == ("history", 1)
        told.tick(json.dumps(TICK | {"number": 2}))
        told.end()
        for page in pages:
            name, tick = await next_of(page)
            assert (name, tick["number"]) == ("tick", 2)
            assert await next_of(page) == ("end", {})
            assert [each async for each in page] == []

    asyncio.run(play())


def test_a_page_that_takes_too_little_is_dismissed_and_the_others_go_on() -> None:
    async def play() -> None:
        told = broadcast()
        slow, quick = told.events(), told.events()
        await anext(slow)
        await anext(quick)
        for number in range(BEHIND + 1):
            told.tick(json.dumps(TICK | {"number": number}))
            assert (await next_of(quick))[1]["number"] == number
        assert [each async for each in slow] == []

    asyncio.run(play())


def test_a_page_that_takes_nothing_at_all_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALLED_S", 0.01)

    async def play() -> None:
        told = broadcast()
        stream = EventStream(told.events())
        await asyncio.wait_for(stream.stream_response(lambda _: asyncio.Future()), 10.0)
        assert told.pages == 0

    asyncio.run(play())


def test_a_page_that_goes_is_forgotten() -> None:
    async def play() -> None:
        told = broadcast()
        page = told.events()
        await anext(page)
        assert told.pages == 1
        await page.aclose()
        assert told.pages == 0

    asyncio.run(play())


@contextmanager
def serving() -> Iterator[tuple[int, socket.socket]]:
    """The page behind a port of this machine in the loop that runs, and what feeds it."""
    feed, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with socket.create_server(("127.0.0.1", 0)) as listener, feed, theirs:
        feed.send(json.dumps(RUN).encode())
        served = asyncio.ensure_future(server.serve(listener, theirs))
        try:
            yield listener.getsockname()[1], feed
        finally:
            served.cancel()


def test_who_does_not_end_a_request_is_hung_up_on_and_who_listens_is_not(monkeypatch) -> None:
    monkeypatch.setattr(server, "REQUEST_S", 0.05)

    async def play() -> None:
        with serving() as (port, feed):
            listening, listener = await asyncio.open_connection("127.0.0.1", port)
            listener.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await listening.readuntil(b"event: history")
            for begun in (b"", b"GET / HT"):
                reading, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(begun)
                assert await reading.read() == b""
                writer.close()
            feed.send(json.dumps(TICK).encode())
            await listening.readuntil(b"event: tick")
            listener.close()

    asyncio.run(asyncio.wait_for(play(), 10.0))

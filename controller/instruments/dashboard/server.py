"""The page's own process: what it is fed it shows, and nothing that is asked here acts."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.instruments.dashboard.history import History
from controller.linux.prctl import die_with_parent, name_process

STATIC = Path(__file__).parent / "static"
NICENESS = 10
CONNECTIONS = 64
BEHIND = 64
"""Ticks that a browser may be behind before it is sent away; it comes back by itself."""
REQUEST_S = 5.0
"""Seconds that a browser may take to send a request: each that does not holds a connection."""
STALLED_S = 10.0
"""Seconds for which a browser may take nothing at all."""
LARGEST_MESSAGE = 1 << 20
HOSTS = frozenset({"127.0.0.1", "localhost"})
HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Broadcast:
    """Server-sent events for any number of pages, none of which can hold up another."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._queues: set[asyncio.Queue[str | None]] = set()
        self._ended = False

    @property
    def pages(self) -> int:
        """How many listen."""
        return len(self._queues)

    def tick(self, text: str) -> None:
        """Tell every page of one more tick, given as JSON."""
        self._history.add(json.loads(text))
        self._tell(f"event: tick\ndata: {text}\n\n")

    def end(self) -> None:
        """Tell every page that the run is over, and let it go."""
        self._ended = True
        self._tell("event: end\ndata: {}\n\n")
        for queue in tuple(self._queues):
            self._dismiss(queue)

    async def events(self) -> AsyncIterator[str]:
        """The events that one page is told: all that was so far, and then each tick."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(BEHIND)
        self._queues.add(queue)
        ended = self._ended  # later on, the end comes by the queue, behind the last tick
        try:
            whole = json.dumps(self._history.snapshot(), separators=(",", ":"))
            yield f"retry: 1000\nevent: history\ndata: {whole}\n\n"
            if ended:
                yield "event: end\ndata: {}\n\n"
                return
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)

    def _tell(self, event: str) -> None:
        for queue in tuple(self._queues):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                while not queue.empty():
                    queue.get_nowait()
                self._dismiss(queue)

    def _dismiss(self, queue: asyncio.Queue[str | None]) -> None:
        self._queues.discard(queue)
        with suppress(asyncio.QueueFull):
            queue.put_nowait(None)


class EventStream(StreamingResponse):
    """A stream that ends where nobody takes from it any more."""

    async def stream_response(self, send: Send) -> None:
        """Send events until there are none, or until one has waited too long."""

        async def hurried(message: Message) -> None:
            async with asyncio.timeout(STALLED_S):
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(hurried)


class TimedProtocol(H11Protocol):
    """Hangs up on who begins a request and does not end it in time, which uvicorn would await."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Await the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, which may be the last."""
        super().data_received(data)
        self._await_request()

    def _await_request(self) -> None:
        answering = self.cycle and not self.cycle.response_complete
        if answering and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif not answering and self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self.transport.close)


class ReadOnly:
    """Answers GET alone, and only who asks for this machine by name.

    A page of another site can have its own name lead here, yet the browser then says that name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may be asked, with headers that let the page ask nobody else."""
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        app = _refusal(Request(scope)) or self._app
        await app(scope, receive, with_headers)


def _refusal(request: Request) -> ASGIApp | None:
    if request.headers.get("host", "").partition(":")[0] not in HOSTS:
        return PlainTextResponse("this page is for this machine alone\n", 421)
    if request.method != "GET":
        return PlainTextResponse("this page can only be read\n", 405, {"allow": "GET"})
    return None


def make_app(broadcast: Broadcast) -> ASGIApp:
    """The page, its files and its events."""

    async def page(_: Request) -> FileResponse:
        return FileResponse(STATIC / "index.html")

    async def events(_: Request) -> EventStream:
        return EventStream(broadcast.events(), media_type="text/event-stream")

    routes = [
        Route("/", page),
        Route("/events", events),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return ReadOnly(Starlette(routes=routes))


async def serve(listener: socket.socket, feed: socket.socket) -> None:
    """Serve what the feed says until it ends; its first message is what runs."""
    loop = asyncio.get_running_loop()
    feed.setblocking(False)
    run = await loop.sock_recv(feed, LARGEST_MESSAGE)
    if not run:  # it ended before it began
        return
    broadcast = Broadcast(History(json.loads(run)))
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(broadcast),
            lifespan="off",
            access_log=False,
            log_config=None,
            http=TimedProtocol,
            limit_concurrency=CONNECTIONS,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )

    async def follow() -> None:
        try:
            while text := await loop.sock_recv(feed, LARGEST_MESSAGE):
                broadcast.tick(text.decode())
        finally:
            broadcast.end()
            server.should_exit = True

    following = asyncio.create_task(follow())
    await server.serve([listener])
    following.cancel()


def main(listener: int, feed: int) -> None:
    """Serve on one inherited socket what comes from the other, below all other work."""
    die_with_parent(signal.SIGKILL)
    name_process("km-page")
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    logging.disable()
    with socket.socket(fileno=listener) as listening, socket.socket(fileno=feed) as feeding:
        asyncio.run(serve(listening, feeding))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

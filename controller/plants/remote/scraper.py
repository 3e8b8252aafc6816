"""Reads the metrics of a service beside the loop, which never waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass

from controller.clock import Clock
from controller.config.selector import Samples
from controller.plants.remote.http import HttpClient, RequestError
from controller.plants.remote.samples import OPENMETRICS, read_samples

ACCEPT = f"text/plain;version=0.0.4,{OPENMETRICS};version=1.0.0;q=0.5,*/*;q=0.1"


@dataclass(frozen=True, slots=True)
class Scrape:
    """All samples of one page, and the clock before it was asked for, so that none is older."""

    at_s: float
    samples: Samples


class Scraper:
    """Scrapes, one at a time, each on order. `failure` says why the last one brought nothing."""

    def __init__(self, read: Callable[[], Samples], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, "scraper")
        self._closing = threading.Event()
        self._under_way: Future[None] | None = None
        self.newest: Scrape | None = None
        self.failure: str | None = None

    def order(self, delay_s: float) -> None:
        """Scrape after `delay_s`; one that is still under way is awaited instead."""
        if self._under_way is None or self._under_way.done():
            self._under_way = self._pool.submit(self._scrape, delay_s)

    def wait(self, patience_s: float) -> bool:
        """Whether the scrape that was ordered is done within `patience_s`."""
        return self._under_way is None or bool(wait_for([self._under_way], patience_s).done)

    def close(self) -> None:
        """Scrape no more; one under way is awaited."""
        self._closing.set()
        self._pool.shutdown(cancel_futures=True)

    def _scrape(self, delay_s: float) -> None:
        if delay_s > 0.0 and self._closing.wait(delay_s):
            return
        at_s = self._clock.now_s()
        try:
            self.newest = Scrape(at_s, self._read())
            self.failure = None
        except (RequestError, ValueError) as error:
            self.failure = str(error)


def reader(client: HttpClient, url: str) -> Callable[[], Samples]:
    """Reads the page at that address."""

    def read() -> Samples:
        answer = client.get(url, ACCEPT)
        return read_samples(answer.text, answer.content_type)

    return read

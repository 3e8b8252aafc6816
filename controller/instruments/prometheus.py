"""Prometheus metrics of the running controller, served to this machine only."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from controller.errors import PortInUseError
from controller.instruments.metric_families import Totals, families
from controller.linux.os_errors import explained_port
from controller.tick import Tick
from policies.objective import Objective

ADDRESS = "127.0.0.1"


class Exposition(Collector):
    """Takes the ticks of the loop, and serves `/metrics` until it is closed.

    A tick is only kept: the text is made in the server's own thread, when somebody asks.
    Port 0 takes any free one, which `port` then tells. Raises PortInUseError.
    """

    def __init__(self, port: int) -> None:
        self._shown: tuple[Tick, Totals, Objective] | None = None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(port, ADDRESS, registry)
        except OSError as error:
            reason = explained_port(error, "choose another --metrics-port")
            raise PortInUseError("metrics.port", ADDRESS, port, *reason) from error

    @property
    def port(self) -> int:
        """The port that is served."""
        return self._server.server_port

    def show(self, objective: Objective, tick: Tick) -> None:
        """Show this tick from now on, and the objective that it is held against."""
        totals = Totals() if self._shown is None else self._shown[1]
        self._shown = tick, totals.plus(tick), objective

    def collect(self) -> Iterable[Metric]:
        """The families of the last tick; nothing before the first."""
        shown = self._shown
        return () if shown is None else families(*shown)

    def close(self) -> None:
        """Serve no longer, and free the port; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

"""The table of a service that others run: where its metrics and knobs are, and what they mean."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from controller.config.section import Milliseconds, Seconds, Section
from policies.knobs import OURS

PLACE = "{value}"
"""Placeholder in a command for the value that it is to set."""
KNOB_NAME = r"^[a-z][a-z0-9_]{0,63}$"
READING_NAME = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"

NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _url(text: str) -> str:
    """An address that holds no password, since the configuration is recorded with each run."""
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an address such as http://127.0.0.1:9100/metrics")
    if parts.username is not None:
        raise ValueError("an address holds no password; name token_env or token_file instead")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("the port of an address is 0 to 65535") from None
    return text


def _selector(text: str) -> str:
    """A selector that can be read, as text; imported late, since few configurations have any."""
    from controller.config.selector import Selector

    if text:
        Selector.of(text)
    return text


Address = Annotated[str, AfterValidator(_url)]
SelectorText = Annotated[str, AfterValidator(_selector)]


class MetricSection(Section):
    """A figure among the metrics of a service; the name of the metric alone may stand for it."""

    metric: SelectorText = Field(
        "", description='name of a metric, and labels that its samples have: name{label="value"}'
    )
    per: SelectorText = Field(
        "",
        description="what the growth of a counter is divided by: seconds, or another metric; "
        "empty takes the value as it is",
    )
    scale: Finite = Field(1.0, description="what the figure is multiplied by")
    of: Literal["sum", "mean", "max"] = Field("sum", description="how several samples become one")
    minimum: Finite = Field(0.0, description="a figure below this cannot be true")


def _by_name(given: object) -> object:
    return {"metric": given} if isinstance(given, str) else given


Metric = Annotated[MetricSection, BeforeValidator(_by_name)]


class LatencySection(Section):
    """The latency of a block, as a histogram or a summary."""

    metric: SelectorText = Field("", description="histogram or summary of the latency of blocks")
    scale: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = Field(
        1000.0, description="milliseconds in its unit: 1000 where it counts seconds"
    )


class BlocksSection(Section):
    """Counters of blocks by outcome; with `submitted`, on_time is what remains of it."""

    on_time: SelectorText = Field("", description="blocks finished by their deadline")
    late: SelectorText = Field("", description="blocks finished after it")
    concealed: SelectorText = Field("", description="blocks that something else was played for")
    lost: SelectorText = Field("", description="blocks that were never finished")
    submitted: SelectorText = Field("", description="all blocks, in place of on_time")

    @model_validator(mode="after")
    def _whole(self) -> BlocksSection:
        given = [name for name in type(self).model_fields if getattr(self, name)]
        if self.on_time and self.submitted:
            raise ValueError("name on_time or submitted, not both")
        if given and not (self.on_time or self.submitted):
            raise ValueError("name on_time or submitted beside the blocks that were missed")
        return self


class KnobSection(Section):
    """A knob of the service: `low` to `high`, or one of a `choice`."""

    gauge: SelectorText = Field(description="metric that shows the value in force")
    of: Literal["sum", "max"] = Field("max", description="how several samples of it become one")
    low: int | None = Field(None, description="the least value")
    high: int | None = Field(None, description="the greatest value")
    step: Annotated[int, Field(ge=1)] | None = Field(
        None, description="how far one change may go; without it, from one end to the other"
    )
    choice: tuple[int, ...] = Field((), description="all values, ascending, in place of low, high")
    delay_s: NotNegative = Field(1.0, description="how long a change takes to be in force")
    settle_s: NotNegative = Field(2.0, description="how long after that it can be judged")
    disruption_ms: NotNegative = Field(0.0, description="the sound that a change interrupts")
    resource: str = Field("service", description="what it acts on; one change there at a time")
    command: tuple[str, ...] = Field(
        (), description="program and arguments that set {value}, in place of the control_url"
    )
    owner: str = Field(
        OURS, description="who turns it: us, or another scaler that is told what we desire"
    )

    @model_validator(mode="after")
    def _possible(self) -> KnobSection:
        if self.choice:
            if (self.low, self.high) != (None, None):
                raise ValueError("name low and high, or a choice, not both")
            if list(self.choice) != sorted(set(self.choice)) or len(self.choice) < 2:
                raise ValueError("a choice is two or more values, ascending")
        elif self.low is None or self.high is None or self.low >= self.high:
            raise ValueError("name low and a greater high, or a choice")
        if self.command and not any(PLACE in each for each in self.command[1:]):
            raise ValueError("no argument of the command holds {value}")
        return self


class RemoteSection(Section):
    """A service that others run, by its metrics and its knobs (--plant remote)."""

    metrics_url: Address = Field("", description="address of its metrics, as Prometheus reads them")
    control_url: Address = Field(
        "", description="address below which it takes knobs, at knobs/NAME; empty turns none"
    )
    deadline_ms: Milliseconds = Field(
        20.0, description="from the capture of a block to the instant at which it must be finished"
    )
    timeout_s: Seconds = Field(
        1.0, description="longest that a scrape, or a request to turn a knob, may take"
    )
    token_env: str = Field("", description="environment variable that holds the bearer token")
    token_file: str = Field("", description="file of mode 600 that holds the bearer token")
    load_unit: str = Field("streams", description="what the load counts")
    load: Metric = Field(MetricSection(), description="the load, as a metric")
    blocks: BlocksSection = Field(
        BlocksSection(),
        description="counters of blocks by outcome; without, a histogram of latency is held "
        "against the deadline",
    )
    latency: LatencySection = Field(
        LatencySection(), description="the latency of a block, as a histogram or a summary"
    )
    readings: dict[Annotated[str, Field(pattern=READING_NAME)], Metric] = Field(
        {}, description="further figures by our names, such as audio.utilisation"
    )
    knobs: dict[Annotated[str, Field(pattern=KNOB_NAME)], KnobSection] = Field(
        {}, description="what can be turned, by name; see docs/remote/README.md"
    )

    @model_validator(mode="after")
    def _reachable(self) -> RemoteSection:
        if self.token_env and self.token_file:
            raise ValueError("name token_env or token_file, not both")
        if not self.metrics_url:
            return self
        for name, knob in self.knobs.items():
            if knob.owner == OURS and not knob.command and not self.control_url:
                raise ValueError(f"knob {name} has no command, and there is no control_url")
            if name == "nodes" and (knob.low is None or knob.low < 1):
                raise ValueError("knob nodes is counted: name low, at least 1, and high")
            if name == "batch_size" and (not knob.choice or knob.choice[0] < 1):
                raise ValueError("knob batch_size is a choice of sizes, of at least 1")
        return self

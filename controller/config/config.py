"""The configuration: one model is the defaults, the documentation and the check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainSerializer, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from controller.config.remote import RemoteSection
from controller.config.section import Milliseconds, Seconds, Section, Share
from controller.errors import ConfigurationError
from controller.input_files import read_toml
from controller.linux import control_group
from controller.linux.os_errors import explained
from policies.objective import Objective, Prices, Priority


class ObjectiveSection(Section):
    """The objective: what is to be achieved."""

    target_miss_rate: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        0.001, description="share of blocks that may miss their deadline: the setpoint"
    )
    priority: Priority = Field(
        Priority.AUDIO, description="which work is kept under pressure: audio, visual or balanced"
    )
    buffer_blocks: Annotated[int, Field(ge=0, le=64)] = Field(
        1, description="periods from the deadline of a block to its play-out"
    )
    node_hour: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = Field(
        1.0, description="price of one node for one hour, in any currency"
    )

    def for_deadline(self, deadline_ms: float) -> Objective:
        """The objective in the policies' own words, where a block has so many milliseconds."""
        return Objective(
            deadline_ms=deadline_ms,
            target_miss_rate=self.target_miss_rate,
            buffer_blocks=self.buffer_blocks,
            priority=self.priority,
            prices=Prices(self.node_hour),
        )


class LoopSection(Section):
    """The control loop."""

    interval_s: Annotated[float, Field(ge=0.05, le=60.0)] = Field(
        1.0, description="seconds from one tick to the next"
    )
    policy: str = Field("conductor", description="the policy that decides, by name")
    act: str = Field(
        "auto",
        description="knobs that are turned, by name; all, none, or auto: all of the built-in "
        "pipeline, none of anything else. The others are decided on and recorded only",
    )

    def acting(self, *, ours: bool) -> frozenset[str] | None:
        """The knobs that may be turned on a plant that is ours, or is not; None: all."""
        act = ("all" if ours else "none") if self.act == "auto" else self.act
        if act == "all":
            return None
        return frozenset() if act == "none" else frozenset(map(str.strip, act.split(",")))


def _as_text(name: str) -> str:
    """A name may hold bytes that are no text, which no file of ours can."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


Program = Annotated[
    str,
    AfterValidator(control_group.checked),
    PlainSerializer(_as_text, when_used="json"),
]


class SidecarSection(Section):
    """The programs of others that may be touched; nothing else ever is."""

    processes: tuple[Program, ...] = Field(
        (),
        description="programs, by name, process id or control group "
        "(cgroup:/system.slice/pipewire.service, with all groups below it), whose audio threads "
        "may be scheduled; where none is named, the audio server and its clients",
    )
    background: tuple[Program, ...] = Field(
        (),
        description="programs, by name, process id or control group, that may be made to yield",
    )
    realtime_without_throttling: bool = Field(
        False,
        description="schedule threads as real-time also where kernel.sched_rt_runtime_us is -1, "
        "so that one which never pauses could stop the machine",
    )


class ForecastSection(Section):
    """Forecasting of the load."""

    model: str = Field("ensemble", description="the forecaster, by name")
    horizon_s: Seconds = Field(
        60.0,
        description="how far ahead the load is forecast at least, seconds; "
        "it goes as far as the slowest knob needs",
    )
    fit_budget_s: Seconds = Field(20.0, description="what one fit of a forecaster may take")


class ThresholdsSection(Section):
    """Latency (p99 of a tick) above which a component is breached, ms at the period of [pipeline].

    An audio server is held to the same part of its own period, as far as the sound is concerned.
    """

    wait: Milliseconds = Field(1.0, description="start lateness of audio blocks")
    transfer_in: Milliseconds = Field(1.0, description="fetching the input of a batch")
    compute: Milliseconds = Field(4.0, description="computing a batch")
    post: Milliseconds = Field(1.0, description="handing a finished batch on")
    block: Milliseconds = Field(5.0, description="a block from capture to finish")
    analysis: Milliseconds = Field(50.0, description="one round of spectral analysis")
    visualisation: Milliseconds = Field(500.0, description="drawing one picture")
    tick: Milliseconds = Field(100.0, description="one tick of the control loop")


class GuardSection(Section):
    """The limits that keep decisions from doing harm."""

    changes_per_minute: Annotated[int, Field(ge=1)] = Field(
        20, description="admitted changes in any 60 seconds, all knobs together"
    )
    cooldown_s: Seconds = Field(2.0, description="rest of a knob after a change")
    rollback_cooldown_s: Seconds = Field(30.0, description="rest of a knob after a rollback")
    shrink_after_s: Seconds = Field(
        15.0, description="how long shrinking must be proposed without a break before it is done"
    )
    hold_alarm_s: Seconds = Field(
        60.0,
        description="a hold longer than this raises an alarm; at once where another hand does harm",
    )
    verify_timeout_s: Seconds = Field(
        15.0, description="how long after its due time a change may wait for valid readings"
    )
    rollbacks_to_shadow: Annotated[int, Field(ge=1)] = Field(
        3, description="rollbacks of a knob within the window that put it in shadow"
    )
    rollback_window_s: Seconds = Field(3600.0, description="the window of those rollbacks")


class BudgetSection(Section):
    """Initial share of all processor time per kind of work; their sum is at most 1."""

    audio: Share = Field(0.40, description="filtering and mixing of live streams")
    analysis: Share = Field(0.25, description="FFT analysis and pictures")
    hrtf: Share = Field(0.20, description="binaural rendering")
    reserve: Share = Field(0.15, description="kept free")

    @model_validator(mode="after")
    def _fits(self) -> BudgetSection:
        total = self.audio + self.analysis + self.hrtf + self.reserve
        if total > 1.0 + 1e-9:
            raise ValueError(f"the shares add up to {total:.2f}, more than 1")
        return self


Device = Literal["auto", "cpu", "cuda", "emulated"]


class PipelineSection(Section):
    """The built-in audio pipeline."""

    sample_rate_hz: Annotated[int, Field(ge=8_000, le=192_000)] = Field(
        48_000, description="sample rate"
    )
    period_frames: Annotated[int, Field(ge=32, le=8192)] = Field(
        256, description="frames per block"
    )
    workload: str = Field("hrtf", description="what every live stream goes through, by name")
    device: Device = Field(
        "auto",
        description="what the streams are rendered on: cpu, cuda, emulated (the GPU executor in "
        "numpy), or auto: a GPU where one can be used",
    )
    executor: str = Field(
        "auto", description="what renders the streams, by name; auto chooses by the device"
    )
    taps: Annotated[int, Field(ge=16, le=16_384)] = Field(
        512, description="length of the head-related impulse responses"
    )
    peak_streams: Annotated[int, Field(ge=1, le=16_384)] = Field(
        48, description="streams at the peak of the load trace"
    )
    stress: Annotated[int, Field(ge=0, le=256)] = Field(
        2, description="CPU-hungry background processes that disturb the sound"
    )
    stress_after_s: Annotated[float, Field(ge=0.0)] = Field(
        5.0, description="when they start, seconds into the run"
    )
    analysis: bool = Field(True, description="compute spectra of the live streams beside the sound")
    visualisation: bool = Field(True, description="draw pictures of the live streams")
    nodes: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="worker processes at the start"
    )
    nodes_max: Annotated[int, Field(ge=1, le=64)] = Field(4, description="worker processes at most")
    batch_size: Annotated[int, Field(ge=0, le=4096)] = Field(
        0, description="streams per kernel call at the start; 0 leaves it to the executor"
    )
    knobs: dict[str, int | float | str] = Field(
        {}, description="values at the start of knobs that only this executor brings, by name"
    )

    @model_validator(mode="after")
    def _ordered(self) -> PipelineSection:
        if self.nodes > self.nodes_max:
            raise ValueError(f"nodes {self.nodes} exceeds nodes_max {self.nodes_max}")
        return self

    @property
    def start_values(self) -> dict[str, int | float | str]:
        """The values with which the executor's knobs start; of others it chooses itself."""
        batch_size = {"batch_size": self.batch_size} if self.batch_size else {}
        return {"nodes": self.nodes, **batch_size, **self.knobs}

    @property
    def limits(self) -> dict[str, int]:
        """The most that a knob of the executor may reach."""
        return {"nodes": self.nodes_max}

    @property
    def period_ms(self) -> float:
        """Length of a period, milliseconds."""
        return 1000.0 * self.period_frames / self.sample_rate_hz


class VramSection(Section):
    """The memory of a GPU: one allocation at the start, shared out from then on."""

    total_mib: Annotated[int, Field(ge=0)] = Field(
        0, description="MiB to take of the device; 0 takes a share of what is free"
    )
    share_of_free: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.8, description="share of the free memory that is taken"
    )
    block_bytes: Annotated[int, Field(ge=16_384, le=4_194_304)] = Field(
        131_072, description="bytes of a block at the start, a power of two"
    )

    @model_validator(mode="after")
    def _is_power_of_two(self) -> VramSection:
        if self.block_bytes.bit_count() != 1:
            nearest = 1 << round(math.log2(self.block_bytes))
            raise ValueError(f"block_bytes is no power of two; the nearest is {nearest}")
        if 0 < self.total_mib << 20 < self.block_bytes:
            raise ValueError(f"block_bytes is more than the {self.total_mib} MiB of the arena")
        return self


class JournalSection(Section):
    """The record of what was seen, decided and done."""

    keep_days: Annotated[int, Field(ge=1)] = Field(
        30, description="runs that ended longer ago than this are deleted at the next start"
    )


class MetricsSection(Section):
    """Prometheus metrics."""

    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        0, description="port of /metrics on 127.0.0.1; 0 serves nothing"
    )


class DashboardSection(Section):
    """The live page for a browser on this machine."""

    serve: bool = Field(False, description="serve the page while a run lasts")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        8377, description="its port on 127.0.0.1; 0 takes any free one"
    )


class Config(BaseSettings):
    """All settings: defaults, then a file, then the environment (KAPELLMEISTER_LOOP__POLICY)."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="KAPELLMEISTER_",
        env_nested_delimiter="__",
    )
    from_file: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    objective: ObjectiveSection = ObjectiveSection()
    loop: LoopSection = LoopSection()
    sidecar: SidecarSection = SidecarSection()
    forecast: ForecastSection = ForecastSection()
    thresholds: ThresholdsSection = ThresholdsSection()
    guard: GuardSection = GuardSection()
    budget: BudgetSection = BudgetSection()
    pipeline: PipelineSection = PipelineSection()
    vram: VramSection = VramSection()
    remote: RemoteSection = RemoteSection()
    journal: JournalSection = JournalSection()
    metrics: MetricsSection = MetricsSection()
    dashboard: DashboardSection = DashboardSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Overrides first, then the environment, then the file."""
        del dotenv_settings, file_secret_settings
        file = InitSettingsSource(settings_cls, init_kwargs=dict(cls.from_file))
        return init_settings, env_settings, file


def load_config(path: Path | None = None) -> Config:
    """The configuration from a file and the environment.

    Raises ConfigurationError, in one line, for a file that is absent or is not TOML, a key
    that does not exist and a value that is impossible.
    """
    table = {} if path is None else _read_toml(path)
    source = type("FileConfig", (Config,), {"from_file": table})
    try:
        loaded = source()
    except ValidationError as error:
        source_name = str(path) if path is not None else "environment"
        raise first_error(source_name, error) from error
    return Config.model_construct(**{name: getattr(loaded, name) for name in Config.model_fields})


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        reason = explained(error, path, "name a readable TOML file")
        raise ConfigurationError(str(path), "file", *reason) from error
    except ValueError as error:
        remedy = "mend the line, or start from `kapellmeister config`"
        raise ConfigurationError(str(path), "file", f"not TOML: {error}", remedy) from error


def first_error(source: str, error: ValidationError, section: str = "") -> ConfigurationError:
    """The first thing wrong in a source, in one line; `section` is where it was looked for."""
    first = error.errors()[0]
    place = (section, *first["loc"]) if section else first["loc"]
    field = ".".join(map(str, place)) or "file"
    if first["type"] == "extra_forbidden":
        return ConfigurationError(source, field, "no such key", "`kapellmeister config` lists all")
    found = first.get("input")
    why = first["msg"].removeprefix("Value error, ")
    why += "" if isinstance(found, dict) else f" (found {found!r})"
    return ConfigurationError(source, field, why, "`kapellmeister config` explains each key")

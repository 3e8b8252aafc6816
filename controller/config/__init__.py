"""Every table of `config.toml`: defaults, documentation and checks at once; nothing acts here."""

from controller.config.config import (
    Config,
    GuardSection,
    LoopSection,
    SidecarSection,
    ThresholdsSection,
    first_error,
    load_config,
)

__all__ = [
    "Config",
    "GuardSection",
    "LoopSection",
    "SidecarSection",
    "ThresholdsSection",
    "first_error",
    "load_config",
]

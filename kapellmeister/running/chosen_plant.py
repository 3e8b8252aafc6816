"""The plant that a run was asked to control, by its name."""

from __future__ import annotations

from controller import plugins
from controller.config.config import Config
from controller.plants.builtin.plant import BuiltinPlant
from kapellmeister.running.attached import AttachedProgram
from kapellmeister.running.builtin import BuiltinPipeline, pipeline_spec
from kapellmeister.running.controlled import Controllable
from kapellmeister.running.options import RunOptions


def chosen_plant(options: RunOptions, config: Config) -> Controllable:
    """The built-in pipeline, or a plant that others started, found by its entry point.

    Raises PlugInError where there is none of that name, ConfigurationError for knobs that
    cannot be meant.
    """
    make_plant = plugins.find("plants", options.plant)
    if make_plant is BuiltinPlant:
        return BuiltinPipeline(pipeline_spec(options, config), config.loop.acting(ours=True))
    return AttachedProgram(make_plant, options, config, config.loop.acting(ours=False))

"""The plant that a run was asked to control, by its name."""

from __future__ import annotations

from collections.abc import Callable

from controller import plugins
from controller.config.config import Config
from controller.errors import PlugInError
from controller.plants.builtin.plant import BuiltinPlant
from kapellmeister.running.controlled.attached import AttachedProgram
from kapellmeister.running.controlled.builtin import BuiltinPipeline, pipeline_spec
from kapellmeister.running.controlled.chosen_executor import chosen_executor
from kapellmeister.running.controlled.controlled import Controllable
from kapellmeister.running.options import RunOptions


def chosen_plant(options: RunOptions, config: Config, say: Callable[[str], None]) -> Controllable:
    """The built-in pipeline, or a plant that others started, found by its entry point.

    Raises PlugInError where there is none of that name or it has not the constants given with it,
    ConfigurationError for knobs that cannot be meant, ExecutorError for a GPU that cannot be used.
    """
    if plugins.find("plants", options.plant) is BuiltinPlant:
        if plugins.constants_in("plants", options.plant):
            why = "takes no constants; its options and [pipeline] say how it plays"
            raise PlugInError("plant", options.plant, why)
        spec = pipeline_spec(options, config, chosen_executor(config.pipeline, say))
        return BuiltinPipeline(spec, config.loop.acting(ours=True))
    return AttachedProgram(options, config, config.loop.acting(ours=False))

"""Simulated plants as environments of Gymnasium; importing this registers them.

`gymnasium.make("kapellmeister/Pipeline-v0")` is one plant, and
`gymnasium.make_vec("kapellmeister/Pipeline-v0", num_envs=256)` many in lock step.
"""

from __future__ import annotations

import gymnasium

ID = "kapellmeister/Pipeline-v0"

gymnasium.register(
    id=ID,
    entry_point="simulators.environments.single:PipelineEnv",
    vector_entry_point="simulators.environments.vector:PipelineVectorEnv",
)

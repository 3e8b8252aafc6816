"""The very loop that runs live, around a plant in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller import plugins
from controller.commands import Command
from controller.config.config import GuardSection, ThresholdsSection
from controller.diagnosis.diagnostician import Diagnostician
from controller.forecasting.supervised import Supervised, make_forecaster
from controller.guard.guard import Guard
from controller.loop import Instrument, Loop
from controller.verification import Verifier
from policies.diagnosis import Bottleneck, Diagnosis
from policies.policy import Policy
from simulators.clock import SimulatedClock
from simulators.levels.capacity import latency_model
from simulators.plant.plant import SimulatedPlant
from simulators.simulation import Simulation
from simulators.time_box import TimeBoxedPolicy

UNDIAGNOSED = Diagnosis(Bottleneck.NONE, "the policy looks at no diagnosis")


def control_loop(
    simulation: Simulation,
    plant: SimulatedPlant,
    clock: SimulatedClock,
    policy: TimeBoxedPolicy,
    instruments: Sequence[Instrument],
) -> Loop:
    """The loop of a simulation, without a journal and without a terminal.

    Raises PlugInError where the forecaster cannot be made.
    """
    limits, objective = GuardSection(), simulation.objective
    return Loop(
        plant=plant,
        policy=policy,
        objective=objective,
        forecaster=_forecaster(simulation.forecaster, policy),
        diagnostician=_diagnostician(simulation, policy.policy),
        guard=Guard(limits),
        verifier=Verifier(limits, objective),
        recorder=NullRecorder(),
        commands=NullCommands(),
        clock=clock,
        interval_s=simulation.step_s,
        instruments=instruments,
        latency=latency_model(simulation.calibration) if simulation.modelled else None,
    )


def make_policy(name: str, constants: Mapping[str, float]) -> Policy:
    """The policy of that name with these constants. Raises PlugInError where there is none."""
    made: Policy = plugins.make("policies", name, ("name", "decide"), **constants)
    return made


class NullRecorder:
    """Keeps nothing: a simulation has no journal."""

    def record(self, *_: object) -> None:
        """Forget the tick."""


class NullCommands:
    """Brings no command: a simulation has no terminal."""

    def take(self) -> Sequence[tuple[int, Command]]:
        """Nothing, ever."""
        return ()

    def answer(self, command: int, text: str) -> None:
        """Tell nobody."""


class NullDiagnostician:
    """Takes readings and names no bottleneck: for a policy that looks at no diagnosis."""

    def diagnose(self, *_: object) -> Diagnosis:
        """The diagnosis that names no bottleneck."""
        return UNDIAGNOSED

    def track_latency(self, component: str, value_ms: float) -> None:
        """Forget the reading."""


def _diagnostician(simulation: Simulation, policy: Policy) -> Diagnostician | NullDiagnostician:
    """A null one for a policy that says of itself that it looks at no diagnosis."""
    if not getattr(policy, "uses_diagnosis", True):
        return NullDiagnostician()
    return Diagnostician(ThresholdsSection(), simulation.objective, simulation.calibration)


def _forecaster(name: str, policy: TimeBoxedPolicy) -> Supervised | None:
    """None for a policy that says of itself that it looks at no forecast."""
    if not getattr(policy.policy, "uses_forecast", True):
        return None
    return Supervised(make_forecaster(name), box=policy)

"""The knob `thread_classes` of a plant whose threads are not ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from controller.config import SidecarSection
from controller.plants.plant import Refusal, Surroundings
from controller.plants.programs import Programs
from controller.plants.thread_classes import ThreadClassActuator
from controller.plants.watched_threads import Rates, WatchedThreads
from controller.scheduling import ProcessId
from policies.knobs import (
    AnyThreadClasses,
    Knob,
    KnobValue,
    SchedulingClass,
    ThreadClass,
    ThreadClasses,
)
from policies.observation import Reading

KNOB = "thread_classes"


class ThreadKnob:
    """Watches the threads of players, and schedules those that play.

    What another program made real-time stays as it is; of the background only what the
    configuration names is touched.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        may: SidecarSection = surroundings.config.sidecar
        self._background = Programs(may.background)
        self._permissions = surroundings.permissions
        self._threads = WatchedThreads()
        self._actuator = ThreadClassActuator(surroundings.lease, ThreadClasses())
        self.lease_stood = True
        """Whether nothing was put back before the last look: the lease was renewed in time."""

    def look(
        self, players: Mapping[ProcessId, Rates], never: Collection[int] = ()
    ) -> dict[str, Reading]:
        """Watch the threads of the players, and bring new ones in line; what was read."""
        self.lease_stood = self._actuator.renew()
        self._threads.look(players, self._background.processes(), never)
        self._actuator.reconcile(self._threads.classes())
        return self._threads.readings()

    def knob(self) -> Knob:
        """What may be done to them here."""
        granted = self._permissions
        classes = {"audio", "background"} if self._threads.background else {"audio"}
        domain = AnyThreadClasses(
            realtime=granted.realtime,
            nice=granted.nice,
            priority_max=granted.priority_max,
            cpus=granted.cpus,
            demotion=granted.demotion,
            classes=frozenset(classes),
        )
        return Knob(KNOB, domain, "cpu", settle_s=2.0, undone=self._actuator.undone)

    def in_force(self) -> ThreadClasses | None:
        """How they are scheduled; None where none is known yet."""
        seen = self._actuator.in_force(self._threads.classes())
        given = self._threads.realtime_priority()
        if given is None or self._threads.classes()["audio"]:
            return seen
        priority = min(given, self._permissions.priority_max or given)
        audio = ThreadClass(SchedulingClass.REALTIME, priority)
        return replace(seen or ThreadClasses(), audio=audio)

    def apply(self, value: KnobValue) -> Refusal | None:
        """Schedule every thread as its class asks, or leave all of them as they were."""
        if not isinstance(value, ThreadClasses):
            return Refusal(KNOB, f"{value} is no scheduling of the classes of work")
        refusal = self._actuator.apply(value, self._threads.classes())
        return None if refusal is None else Refusal(KNOB, refusal)

    def restore(self) -> None:
        """Put every thread back as it was found."""
        self._actuator.restore()

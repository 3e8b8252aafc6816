"""The knob `thread_classes` of a plant whose threads are not ours."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from controller.config.config import SidecarSection
from controller.linux.process_id import ProcessId
from controller.linux.scheduling import ThreadId
from controller.plants.plant import Surroundings
from controller.plants.programs.programs import Programs
from controller.plants.threads.actuator import ThreadClassActuator
from controller.plants.threads.audio_threads import WatchedThreads
from controller.plants.threads.other_users import OtherUsers
from controller.plants.threads.rhythm import Rates
from policies.knobs import (
    AnyThreadClasses,
    Knob,
    KnobValue,
    SchedulingClass,
    ThreadClass,
    ThreadClasses,
)
from policies.observation import Reading
from policies.proposal import Refusal

KNOB = "thread_classes"
SETTLE_S = 2.0
EXPORTING = "an export is under way: real-time threads that never pause leave others no time"
SOUGHT_S = 10.0
"""Time, s, for which the threads of another start of a program are awaited, and the effect of
scheduling those that appear one after the other, before anything else is turned."""


class ThreadKnob:
    """Watches the threads of players, and schedules those that play.

    What another program made real-time stays as it is; of the background only what the
    configuration names is touched.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        may: SidecarSection = surroundings.config.sidecar
        self._background = Programs(may.background, surroundings.named_at)
        self._clock = surroundings.clock
        self._permissions = surroundings.permissions
        self._threads = WatchedThreads()
        self._actuator = ThreadClassActuator(surroundings.lease, ThreadClasses())
        acting = surroundings.config.loop.acting(ours=False)
        acts = acting is None or KNOB in acting
        self._others = OtherUsers(surroundings.say) if acts else None
        self._exporting = False
        self._scheduled_at_s = self._unsettled_since_s = -math.inf
        self._sought_since_s: float | None = None
        self.lease_stood = True
        """Whether nothing was restored before the last look: the lease was renewed in time."""
        self.reset = ""
        """Event of threads that were reset before the last look; empty where none was."""

    def look(
        self,
        players: Mapping[ProcessId, Rates],
        never: Collection[int] = (),
        *,
        exporting: bool = False,
    ) -> dict[str, Reading]:
        """Watch the threads of the players, and bring new ones in line; what was read.

        `exporting` threads play as fast as they can, some of them perhaps beside devices that play
        on. They never pause, and would starve a processor: all are restored, and scheduled anew by
        the next look without.
        """
        self.lease_stood = self._actuator.renew()
        background = self._background.processes()
        self._threads.look(players, background, never)
        if self._others is not None:
            self._others.look((*players, *background))
        self.reset = _reset_event(self._actuator.note_resets(self._clock.now_s()))
        self._threads.reread(self._actuator.has_scheduled)  # with those that were released just now
        self._suspend(exporting)
        if not exporting:
            self._bring_in_line(anybody=bool(players))
        return self._threads.readings()

    def rest(self, players: Iterable[ProcessId], *, exporting: bool) -> dict[str, Reading]:
        """Leave the threads alone while no deadline holds: they do not keep time with cycles then.

        `exporting` ones are restored, as by `look`.
        """
        self.lease_stood, self.reset = self._actuator.renew(), ""
        self._sought_since_s = None
        self._suspend(exporting)
        self._threads.rest(players)
        return self._threads.readings()

    def knob(self, counted_until_s: float | None = None) -> Knob:
        """The knob with what may be done to the threads here.

        `counted_until_s` is the time of the clock up to which missed blocks are known.
        """
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
        return Knob(
            KNOB,
            domain,
            "cpu",
            settle_s=SETTLE_S,
            undone=self._actuator.undone,
            obstacle=EXPORTING if self._exporting else "",
            awaits=self._awaits(counted_until_s),
        )

    def _suspend(self, exporting: bool) -> None:
        self._exporting = exporting
        if exporting:
            self._actuator.suspend()

    def _bring_in_line(self, *, anybody: bool) -> None:
        """Schedule new threads, and note when: the effect is awaited as that of a change is."""
        before = self._scheduled()
        self._actuator.reconcile(self._threads.classes())
        now_s = self._clock.now_s()
        if self._threads.found or not (anybody and self._actuator.is_turned):
            self._sought_since_s = None
        elif self._sought_since_s is None:
            self._sought_since_s = now_s
        if self._scheduled() - before:
            if now_s - self._scheduled_at_s > SOUGHT_S:
                self._unsettled_since_s = now_s
            self._scheduled_at_s = now_s

    def _scheduled(self) -> set[ThreadId]:
        """The audio threads that we have scheduled."""
        return {thread for thread in self._threads.found if self._actuator.has_scheduled(thread)}

    def _awaits(self, counted_until_s: float | None) -> str:
        now_s = self._clock.now_s()
        known_s = now_s if counted_until_s is None else counted_until_s
        if self._sought_since_s is not None and now_s <= self._sought_since_s + SOUGHT_S:
            return "the audio threads are sought, to be scheduled as before"
        endless = now_s > self._unsettled_since_s + SOUGHT_S  # a program makes threads all along
        if known_s < self._scheduled_at_s + SETTLE_S and not endless:
            return "audio threads were scheduled anew, and what comes of it is awaited"
        return ""

    def in_force(self) -> ThreadClasses | None:
        """How the threads are scheduled; None where none is known yet, and during an export."""
        if self._exporting and self._actuator.is_turned:
            return None
        seen = self._actuator.in_force(self._threads.classes())
        given = self._threads.realtime_priority()
        if given is None or self._threads.classes()["audio"]:
            return seen
        priority = min(given, self._permissions.priority_max or given)
        audio = ThreadClass(SchedulingClass.REALTIME, priority)
        return replace(seen or ThreadClasses(), audio=audio)

    def apply(self, value: KnobValue) -> Refusal | None:
        """Schedule every thread as its class asks, or leave all of them as they were.

        During an export that waits for its end.
        """
        if not isinstance(value, ThreadClasses):
            return Refusal(KNOB, f"{value} is no scheduling of the classes of work")
        refusal = self._actuator.apply(value, self._threads.classes())
        self._suspend(self._exporting)
        return None if refusal is None else Refusal(KNOB, refusal)

    def restore(self) -> None:
        """Restore every thread as it was found."""
        self._actuator.restore()


def _reset_event(reset: int) -> str:
    which = "a thread was" if reset == 1 else f"{reset} threads were"
    return f"{which} reset by its program or the server, and scheduled anew" if reset else ""

"""Applies the scheduling of the classes of work to the threads of a plant."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

from controller.errors import SchedulingRefusedError, ThreadGoneError, WatchdogError
from controller.linux import scheduling
from controller.watchdog.lease import Lease
from policies.knobs import ThreadClass, ThreadClasses

ClassThreads = Mapping[str, Iterable[scheduling.ThreadId]]


REPEATED_S = 60.0
"""Time, s, within which another change of a thread that was scheduled anew is meant."""


class ThreadClassActuator:
    """Turns the knob `thread_classes`, under a lease that outlives this process by a moment.

    Each thread is scheduled once for a setting. A thread that afterwards is scheduled as it was
    found, or as any new thread is, was reset by its own program or server: it is scheduled once
    more. Whatever else is found, or is reset again within a minute, is another hand's: reported
    and never overwritten. `reconcile` brings threads in line that appear later, and restores
    those that belong to no class any more; `restore` restores all. `found` tells the shares that
    the classes have at the start.
    """

    def __init__(self, lease: Lease, found: ThreadClasses) -> None:
        self._lease = lease
        self._found = found
        self._wanted: ThreadClasses | None = None
        self._scheduled: dict[scheduling.ThreadId, ThreadClass] = {}
        self._reset_at_s: dict[scheduling.ThreadId, float] = {}
        self._read: dict[scheduling.ThreadId, scheduling.Scheduling] = {}
        self._undone = ""

    @property
    def undone(self) -> str:
        """Why the watchdog restored the threads after the last `apply`; empty where it did not."""
        return self._undone

    @property
    def is_turned(self) -> bool:
        """Whether threads are to be scheduled otherwise than they were found."""
        return self._wanted is not None

    def has_scheduled(self, thread: scheduling.ThreadId) -> bool:
        """Whether the thread was scheduled here."""
        return thread in self._scheduled

    def apply(self, wanted: ThreadClasses, threads: ClassThreads) -> str | None:
        """Schedule every thread as its class asks; where that is refused, the reason.

        A refusal of one thread leaves all of them as they were before.
        """
        before, self._wanted = self._wanted, wanted
        self._forget()
        refusal = self.reconcile(threads)
        if refusal is None:
            self._undone = ""
        else:
            self._wanted = before
            self._forget()
            self._lease.restore()
            self.reconcile(threads)
        return refusal

    def reconcile(self, threads: ClassThreads) -> str | None:
        """Schedule new threads, restore those that left; None where nothing was refused."""
        if self._wanted is None:
            return None
        current = {
            thread: wanted
            for name, wanted in self._wanted.items()
            for thread in threads.get(name, ())
        }
        self._lease.deregister(self._scheduled.keys() - current.keys())
        self._scheduled = {k: v for k, v in self._scheduled.items() if k in current}
        new = {k: v for k, v in current.items() if k not in self._scheduled}
        try:
            self._lease.register(*new, wanted=new)
        except WatchdogError as error:
            return str(error)
        refusals = [self._schedule(thread, wanted) for thread, wanted in new.items()]
        return next((refusal for refusal in refusals if refusal is not None), None)

    def note_resets(self, now_s: float) -> int:
        """Have `reconcile` schedule the threads anew that were reset; how many those are.

        What is read here holds for `in_force` until the next call.
        """
        reset = 0
        self._read.clear()
        for thread in tuple(self._scheduled):
            now = _read_if_alive(thread)
            if now is None:
                continue
            if self._is_as_asked(thread, now):
                self._read[thread] = now
                continue
            if self._is_reset(thread, now) and self._is_first_reset(thread, now_s):
                reset += 1
                del self._scheduled[thread]
        return reset

    def renew(self) -> bool:
        """Renew the lease; False where it had run out.

        Then all threads were restored meanwhile, and are scheduled anew. Where that would starve
        a processor again, only another `apply` schedules them.
        """
        stands = self._lease.renew()
        if not stands:
            self._forget()
            if self._lease.starved is not None:
                self._wanted, self._undone = None, str(self._lease.starved)
        return stands

    def in_force(self, threads: ClassThreads) -> ThreadClasses | None:
        """How the threads of each class are scheduled; None where none could be read.

        Where they differ, one is reported that is not as wanted: one moved thread is drift.
        """
        wanted = self._wanted or self._found
        classes, any_seen = {}, False
        for name, own in wanted.items():
            seen = [each for thread in threads.get(name, ()) if (each := self._seen(thread, own))]
            any_seen = any_seen or bool(seen)
            moved = [each for each in seen if each != replace(own, share=None)]
            classes[name] = replace(moved[0], share=own.share) if moved else own
        return ThreadClasses(**classes) if any_seen else None

    def suspend(self) -> None:
        """Restore the threads for a while, until `reconcile` is called again."""
        self._lease.deregister(tuple(self._scheduled))
        self._forget()

    def restore(self) -> None:
        """Restore what was found, thread by thread."""
        self._wanted = None
        self._forget()
        self._lease.restore()

    def _forget(self) -> None:
        self._scheduled.clear()
        self._reset_at_s.clear()
        self._read.clear()

    def _schedule(self, thread: scheduling.ThreadId, wanted: ThreadClass) -> str | None:
        original = self._lease.originals().get(thread)
        if original is None:
            return None  # it ended before it could be held
        try:
            scheduling.write(thread, scheduling.from_class(wanted, original.scheduling))
            self._scheduled[thread] = wanted
        except ThreadGoneError:
            return None
        except SchedulingRefusedError as error:
            return str(error)
        return None

    def _is_as_asked(self, thread: scheduling.ThreadId, now: scheduling.Scheduling) -> bool:
        """Whether a thread that was scheduled here still is so, as far as that is known."""
        original, wanted = self._lease.originals().get(thread), self._scheduled[thread]
        if original is None:
            return True
        asked = scheduling.from_class(wanted, original.scheduling)
        return scheduling.is_as_asked(now, asked, wanted)

    def _is_reset(self, thread: scheduling.ThreadId, now: scheduling.Scheduling) -> bool:
        """Whether the thread is as it was found, or as any new thread is."""
        found = self._lease.originals()[thread].scheduling
        known = (found.policy, found.priority, found.nice), (os.SCHED_OTHER, 0, 0)
        as_found = (os.SCHED_OTHER, 0, found.nice)
        return (now.policy, now.priority, now.nice) in (*known, as_found)

    def _is_first_reset(self, thread: scheduling.ThreadId, now_s: float) -> bool:
        """Whether the thread was not reset a short while ago; takes note of this time."""
        before_s, self._reset_at_s[thread] = self._reset_at_s.get(thread), now_s
        return before_s is None or now_s - before_s > REPEATED_S

    def _seen(self, thread: scheduling.ThreadId, own: ThreadClass) -> ThreadClass | None:
        now = self._read.get(thread) or _read_if_alive(thread)
        if now is None:
            return None
        if thread in self._scheduled and self._is_as_asked(thread, now):
            return replace(own, share=None)
        return scheduling.to_class(now)


def _read_if_alive(thread: scheduling.ThreadId) -> scheduling.Scheduling | None:
    try:
        return scheduling.read(thread)
    except ThreadGoneError:
        return None

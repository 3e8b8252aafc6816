"""Applies the scheduling of the classes of work to the threads of a plant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from controller import scheduling
from controller.errors import GuardianError, SchedulingRefusedError, ThreadGoneError
from controller.lease import Lease
from policies.knobs import ThreadClass, ThreadClasses

ClassThreads = Mapping[str, Iterable[scheduling.ThreadId]]


class ThreadClassActuator:
    """Turns the knob `thread_classes`, under a lease that outlives this process by a moment.

    Each thread is scheduled once for a setting: what another hand does to it afterwards is
    reported and never overwritten. `reconcile` brings threads in line that appear later, and
    puts those back that belong to no class any more; `restore` puts all back as they were found.
    `found` tells the shares that the classes have at the start.
    """

    def __init__(self, lease: Lease, found: ThreadClasses) -> None:
        self._lease = lease
        self._found = found
        self._wanted: ThreadClasses | None = None
        self._scheduled: set[scheduling.ThreadId] = set()
        self._undone = ""

    @property
    def undone(self) -> str:
        """Why the guardian put back what was last applied; empty where it did not."""
        return self._undone

    def apply(self, wanted: ThreadClasses, threads: ClassThreads) -> str | None:
        """Schedule every thread as its class asks; where that is refused, the reason.

        A refusal of one thread leaves all of them as they were before.
        """
        before, self._wanted = self._wanted, wanted
        self._scheduled.clear()
        refusal = self.reconcile(threads)
        if refusal is None:
            self._undone = ""
        else:
            self._wanted = before
            self._scheduled.clear()
            self._lease.restore()
            self.reconcile(threads)
        return refusal

    def reconcile(self, threads: ClassThreads) -> str | None:
        """Bring threads in line that are new, let others go; None where nothing was refused."""
        if self._wanted is None:
            return None
        current = {thread for name, _ in self._wanted.items() for thread in threads.get(name, ())}
        self._lease.let_go(self._scheduled - current)
        self._scheduled &= current
        new = [
            (thread, wanted)
            for name, wanted in self._wanted.items()
            for thread in threads.get(name, ())
            if thread not in self._scheduled
        ]
        try:
            self._lease.hold(*(thread for thread, _ in new), wanted=dict(new))
        except GuardianError as error:
            return str(error)
        refusals = [self._schedule(thread, wanted) for thread, wanted in new]
        return next((refusal for refusal in refusals if refusal is not None), None)

    def renew(self) -> bool:
        """Keep the lease; had it run out, all was put back meanwhile, and is scheduled anew.

        Not so where that would starve a processor again: only another `apply` brings it back.
        False where it had run out.
        """
        stands = self._lease.renew()
        if not stands:
            self._scheduled.clear()
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
            seen = _seen(threads.get(name, ()))
            any_seen = any_seen or bool(seen)
            moved = [each for each in seen if each != replace(own, share=None)]
            classes[name] = replace(moved[0], share=own.share) if moved else own
        return ThreadClasses(**classes) if any_seen else None

    def restore(self) -> None:
        """Put back what was found, thread by thread."""
        self._wanted = None
        self._scheduled.clear()
        self._lease.restore()

    def _schedule(self, thread: scheduling.ThreadId, wanted: ThreadClass) -> str | None:
        original = self._lease.originals().get(thread)
        if original is None:
            return None  # it ended before it could be held
        try:
            scheduling.write(thread, scheduling.from_class(wanted, original.scheduling))
            self._scheduled.add(thread)
        except ThreadGoneError:
            return None
        except SchedulingRefusedError as error:
            return str(error)
        return None


def _seen(threads: Iterable[scheduling.ThreadId]) -> list[ThreadClass]:
    seen = []
    for thread in threads:
        try:
            seen.append(scheduling.to_class(scheduling.read(thread)))
        except ThreadGoneError:
            continue
    return seen

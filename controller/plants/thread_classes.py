"""Applies the scheduling of the classes of work to the threads of a plant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from controller import scheduling
from controller.errors import GuardianError, SchedulingRefusedError, ThreadGoneError
from controller.lease import Lease
from policies.knobs import ThreadClass, ThreadClasses

ClassThreads = Mapping[str, Iterable[scheduling.ThreadId]]


class ThreadClassActuator:
    """Turns the knob `thread_classes`, under a lease that outlives this process by a moment.

    What was found is read before the first change, and everything is put back on `restore`.
    Threads that appear later are brought in line by `reconcile`.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._wanted: ThreadClasses | None = None
        self._found: dict[scheduling.ThreadId, scheduling.Scheduling] = {}

    def apply(self, wanted: ThreadClasses, threads: ClassThreads) -> str | None:
        """Schedule every thread as its class asks; the reason where the kernel refuses."""
        self._wanted = wanted
        return self.reconcile(threads)

    def reconcile(self, threads: ClassThreads) -> str | None:
        """Bring threads in line that were not there before; None where nothing was refused."""
        if self._wanted is None:
            return None
        for name, wanted in self._wanted.items():
            for thread in threads.get(name, ()):
                refusal = self._schedule(thread, wanted)
                if refusal is not None:
                    return refusal
        return None

    def in_force(self, threads: ClassThreads) -> ThreadClasses | None:
        """The scheduling that most threads of each class have; None where none could be read."""
        seen = {name: _common(threads.get(name, ())) for name, _ in ThreadClasses().items()}
        known = {name: each for name, each in seen.items() if each is not None}
        if not known:
            return None
        wanted = dict((self._wanted or ThreadClasses()).items())
        classes = {name: known.get(name, wanted[name]) for name in wanted}
        return ThreadClasses(**classes)

    def restore(self) -> None:
        """Put back what was found, thread by thread."""
        self._wanted = None
        self._found.clear()
        self._lease.restore()

    def _schedule(self, thread: scheduling.ThreadId, wanted: ThreadClass) -> str | None:
        try:
            if thread not in self._found:
                self._found[thread] = scheduling.read(thread)
            target = scheduling.from_class(wanted, self._found[thread])
            if scheduling.read(thread) != target:
                self._lease.hold(thread)
                scheduling.write(thread, target)
        except ThreadGoneError:
            self._found.pop(thread, None)
        except (SchedulingRefusedError, GuardianError) as error:
            return str(error)
        return None


def _common(threads: Iterable[scheduling.ThreadId]) -> ThreadClass | None:
    seen: Counter[ThreadClass] = Counter()
    for thread in threads:
        try:
            seen[scheduling.to_class(scheduling.read(thread))] += 1
        except ThreadGoneError:
            continue
    return seen.most_common(1)[0][0] if seen else None

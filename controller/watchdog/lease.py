"""The controller's side of the watchdog: what is registered is restored, whatever becomes of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from controller.errors import StarvationError, ThreadGoneError, ThreadHiddenError, WatchdogError
from controller.linux.os_errors import explained
from controller.linux.scheduling import ThreadId, from_class, identify
from controller.watchdog.restoration import (
    Original,
    Restoration,
    RestoreCommand,
    find_original,
    restore_settings,
    restore_threads,
)
from controller.watchdog.watchdog import encode
from policies.knobs import ThreadClass

LEASE_S = 10.0
"""Seconds that a lease lasts at least without being renewed."""
START_PATIENCE_S = 10.0
"""Seconds that a watchdog may take to come up."""
ANSWER_PATIENCE_S = 2.0
"""Seconds that a watchdog may take to acknowledge, and to end."""
NOTHING_TOLD: Mapping[ThreadId, ThreadClass] = MappingProxyType({})
"""Threads of which it is not known what is wanted: none of them is."""
STARVATION_S = 600.0
"""Seconds for which nothing is rescheduled once a thread under the lease starved a processor."""


def lease_s(interval_s: float) -> float:
    """How long a lease lasts that is renewed once in each interval, so that two may fail."""
    return max(LEASE_S, 3.0 * interval_s)


class Lease:
    """Permission to change threads, which ends with this process or when it is not renewed.

    `register` each thread before changing it, `renew` more often than every `lease_s` seconds,
    `release` at the end. A watchdog that died is replaced. Once the watchdog saw a processor
    starve, no more threads are registered for a while: see `starved`. Of one process, one thread
    may use it.
    """

    def __init__(self, lease_s: float = LEASE_S) -> None:
        self._lease_s = lease_s
        self._originals: dict[ThreadId, Original] = {}
        self._settings: dict[str, RestoreCommand] = {}
        self._left: dict[RestoreCommand, str] = {}
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._canary_pid: int | None = None
        self._received = b""
        self._refused: tuple[str, ...] = ()
        self._expired = False
        self._starved: tuple[float, int] | None = None

    @classmethod
    def start(cls, lease_s: float = LEASE_S) -> Self:
        """A lease whose watchdog is up already; else `register` starts it. WatchdogError."""
        lease = cls(lease_s)
        lease._spawn()
        return lease

    def __enter__(self) -> Self:
        if self._watchdog is None:
            self._spawn()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def watchdog_pid(self) -> int | None:
        """The watchdog's process; None where none runs."""
        return None if self._watchdog is None else self._watchdog.pid

    @property
    def watchers(self) -> tuple[int, ...]:
        """The processes that stand watch, whose cost belongs to control."""
        return tuple(pid for pid in (self.watchdog_pid, self._canary_pid) if pid is not None)

    @property
    def starved(self) -> StarvationError | None:
        """Why nothing is rescheduled for the time being; None where nothing starved of late."""
        if self._starved is None:
            return None
        since_s, processor = self._starved
        if time.monotonic() - since_s > STARVATION_S:
            return None
        return StarvationError(processor, STARVATION_S / 60)

    def warn(self) -> str | None:
        """The alarm for the loop to raise, for as long as it stands; None where there is none."""
        return None if self.starved is None else str(self.starved)

    def register(
        self, *threads: ThreadId, wanted: Mapping[ThreadId, ThreadClass] = NOTHING_TOLD
    ) -> None:
        """Read how these are found, once, and hand it to the watchdog; then change them.

        Of those of which it is told what is `wanted`, only that is restored later: what another
        hand set meanwhile stays. A thread that has ended is passed over. Raises WatchdogError
        where no watchdog acknowledged: then nothing may be changed; StarvationError where what
        was changed before did harm.
        """
        if (starved := self.starved) is not None:
            raise starved
        unknown = [thread for thread in threads if thread not in self._originals]
        if not unknown and not wanted and self._watchdog is not None:
            return
        self.deregister([each for each in self._originals if _has_ended(each)])
        for thread in unknown:
            with contextlib.suppress(ThreadGoneError):
                self._originals[thread] = find_original(thread)
        for thread in wanted.keys() & self._originals.keys():
            original = self._originals[thread]
            ours = from_class(wanted[thread], original.scheduling)
            self._originals[thread] = original.set_to(ours)
        self._ensure_registered()

    def register_setting(self, name: str, command: RestoreCommand) -> None:
        """Hand the watchdog the command that restores a setting; then change it.

        The command leaves alone what is not ours. Raises WatchdogError as `register` does; where a
        thread starved a processor no setting is to blame.
        """
        if self._settings.get(name) != command or self._watchdog is None:
            self._settings[name] = command
            self._ensure_registered()

    def amend_setting(self, name: str, command: RestoreCommand) -> None:
        """Restore a registered setting by another command: more is known of it by now."""
        if name in self._settings:
            self._settings[name] = command
            self._tell_of_change()

    def restore_setting(self, name: str) -> None:
        """Run the command of a setting, once: a server that stands still would keep us each time.

        Where that fails, `release` tells why, and `settings` goes on to name it.
        """
        if name in self._settings:
            command = self._settings[name]
            for why in restore_settings([command]).refused:
                self._left[command] = why
            self.forget_setting(name)

    def forget_setting(self, name: str) -> None:
        """Forget a setting that is as it was found again, or that nothing has any more."""
        if self._settings.pop(name, None) is not None:
            self._tell_of_change()

    def renew(self) -> bool:
        """Extend the lease; False where it had run out, so that all was restored meanwhile.

        False as well where a processor starved, and where the watchdog died and no other can be
        had: nothing stays changed then, and the next `register` says why.
        """
        if self._watchdog is None:
            return True
        if not (self._tell("renew") and self._listen(0.0)):
            return self._replaced_or_restored()
        stands, self._expired = not self._expired, False
        return stands

    def originals(self) -> Mapping[ThreadId, Original]:
        """How each registered thread was found: the journal keeps it for the next start."""
        return MappingProxyType(self._originals)

    def settings(self) -> tuple[RestoreCommand, ...]:
        """Commands of settings that are registered or could not be restored: for the journal."""
        return (*self._left, *self._settings.values())

    def restore(self) -> Restoration:
        """Restore all threads; where one refuses, all stay registered. Ended ones are no matter."""
        restoration = restore_threads(self._originals)
        if not restoration.refused:
            self._originals = {}
        self._tell_of_change()
        return restoration

    def deregister(self, threads: Collection[ThreadId]) -> None:
        """Restore these, which are ours no longer; where one refuses, they stay registered."""
        leaving = self._originals.keys() & set(threads)
        if leaving and not restore_threads(self._originals, leaving).refused:
            self._originals = {k: v for k, v in self._originals.items() if k not in leaving}
            self._tell_of_change()

    def release(self) -> Restoration:
        """Restore everything and end the watchdog; a second call does nothing.

        What could not be restored is told, and is what `originals` and `settings` still name.
        """
        restoration = restore_threads(self._originals)
        if not restoration.refused:
            self._originals = {}
        for name in tuple(self._settings):
            self.restore_setting(name)
        watchdog, self._watchdog, self._canary_pid = self._watchdog, None, None
        if watchdog is not None:
            _dismiss(watchdog)
        refused = (*restoration.refused, *self._left.values())
        return Restoration(restoration.restored, refused)

    def _replaced_or_restored(self) -> bool:
        """Whether another watchdog took the place of the dead one; else all is restored."""
        try:
            self._replace()
        except WatchdogError:
            restore_threads(self._originals)
            restore_settings(self._settings.values())
            return False
        return True

    def _tell_of_change(self) -> None:
        if self._watchdog is not None and not self._hand_over():
            self._end_watchdog()  # the next registration starts another

    def _ensure_registered(self) -> None:
        if self._watchdog is None:
            self._spawn()
        if not self._hand_over():
            self._replace()

    def _replace(self) -> None:
        """Another watchdog in place of one that ended or does not answer."""
        self._end_watchdog()
        self._spawn()
        if not self._hand_over():
            self._end_watchdog()
            raise WatchdogError("two watchdogs in a row did not acknowledge")

    def _end_watchdog(self) -> None:
        watchdog, self._watchdog, self._canary_pid = self._watchdog, None, None
        if watchdog is not None:
            watchdog.kill()
            _dismiss(watchdog)

    def _hand_over(self) -> bool:
        registered = [encode(thread, original) for thread, original in self._originals.items()]
        return all(
            self._tell(*message) and self._listen(ANSWER_PATIENCE_S, "registered")
            for message in (("settings", *self._settings.values()), ("threads", *registered))
        )

    def _spawn(self) -> None:
        command = [sys.executable, "-P", "-S", "-m", "controller.watchdog.watchdog"]
        home = str(Path(__file__).resolve().parents[2])
        try:
            self._watchdog = subprocess.Popen(
                [*command, str(os.getpid()), str(self._lease_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd="/",
                env={**os.environ, "PYTHONPATH": home},
                start_new_session=True,
            )
        except OSError as error:
            why, remedy = explained(error)
            raise WatchdogError(f"it cannot be started: {why}", remedy) from error
        self._received, self._refused = b"", ("it was started and did not come up",)
        if not self._listen(START_PATIENCE_S, "ready"):
            self._end_watchdog()
            raise WatchdogError(*self._refused)

    def _tell(self, *message: object) -> bool:
        """Whether the watchdog could be told; a stopped one whose pipe is full cannot."""
        pipe = self._watchdog.stdin if self._watchdog is not None else None
        if pipe is None or not select.select([], [pipe], [], 0.0)[1]:
            return False
        try:
            return bool(pipe.write(json.dumps(message).encode() + b"\n"))
        except BrokenPipeError:
            return False

    def _listen(self, patience_s: float, awaited: str | None = None) -> bool:
        """Hear what the watchdog has to say; whether it lives and said what was awaited."""
        pipe = self._watchdog.stdout if self._watchdog is not None else None
        if pipe is None:
            return False
        until_s = time.monotonic() + patience_s
        while select.select([pipe], [], [], max(0.0, until_s - time.monotonic()))[0]:
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                return False
            *lines, self._received = (self._received + chunk).split(b"\n")
            if awaited in [self._hear(*json.loads(line)) for line in lines]:
                return True
        return awaited is None

    def _hear(self, word: str, *told: Any) -> str:
        """Take note of one message, and tell its first word."""
        if word == "refused":
            self._refused = tuple(map(str, told))
            return word
        number = told[0] if told else 0
        if word == "ready":
            self._canary_pid = number
        elif word == "starved":
            self._starved = time.monotonic(), number
        self._expired |= word in ("expired", "starved")
        return word


def _has_ended(thread: ThreadId) -> bool:
    """Whether it has, as far as is known: one that is hidden may live."""
    try:
        return identify(thread.tid) != thread
    except ThreadHiddenError:
        return False
    except ThreadGoneError:
        return True


def _dismiss(watchdog: subprocess.Popen[bytes]) -> None:
    """Close the pipes, at which it ends, and wait for that."""
    for pipe in (watchdog.stdin, watchdog.stdout):
        if pipe is not None:
            pipe.close()
    try:
        watchdog.wait(ANSWER_PATIENCE_S)
    except subprocess.TimeoutExpired:
        watchdog.kill()
        watchdog.wait()

"""The knob `period_frames` of a server that is not ours: the last resort, and restored exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from controller.errors import WatchdogError
from controller.plants.audio_server.original_setting import OriginalSetting
from controller.plants.audio_server.state import State
from controller.watchdog.lease import Lease
from controller.watchdog.restoration import RestoreCommand
from policies.knobs import Choice, Knob, KnobValue
from policies.proposal import Refusal

PERIOD = "period_frames"
LONGEST_PERIOD = 4096
PERIOD_DISRUPTION_MS = 27.0
"""Longest interruption by a change of the period, ms: measured with JACK on two processors."""
LAPSED = "our own watchdog restored it, since no sign of life had come from this controller"
RESTARTED = "the server was started again, and plays the period of its own"
CHANGED = "it had been restored, and somebody else has changed it since"
GRACE_NS = 5_000_000_000
"""Time that an order may be under way, ns; what was found may come back as another period."""


@dataclass(frozen=True, slots=True)
class PeriodRules:
    """The rules of one kind of server for its period, which its plant knows.

    `setting_for` is what is asked for to have a period of so many frames, `obstacle` why it must
    not be turned as things are (empty where it may), `longest` the longest that the server would
    play, `restoring` the command line that restores it without this process. `tell` gives the
    monitor an order; whether there is somebody to take it.
    """

    server: str
    setting_for: Callable[[int], int]
    obstacle: Callable[[], str]
    longest: Callable[[], int]
    restoring: Callable[[OriginalSetting], RestoreCommand]
    tell: Callable[[str], bool]


class PeriodKnob(Generic[State]):
    """Turns the period, and knows what of it is ours and what is to be restored.

    `found` is the server in motion as it was found, or as somebody else set it since: the
    reference for its deadline and for the periods to choose from; None until it moves.
    """

    def __init__(self, rules: PeriodRules, lease: Lease, server: State) -> None:
        self._rules = rules
        self._lease = lease
        self._server = server
        self.found: State | None = None if server.no_deadline else server
        self._original: OriginalSetting | None = None
        self._asked: int | None = None
        self._asked_ns = 0
        self._obeyed: int | None = None
        self._is_restored = self._lease_ran_out = False
        self._lapsed = self._refused = ""

    @property
    def deadline_ms(self) -> float:
        """Length of a period as found, or as somebody else set it since, milliseconds."""
        return (self.found or self._server).period_ms

    def see(self, server: State) -> str:
        """Take a new line of the monitor; returns an event, empty where there is none."""
        before, self._server = self._server, server
        if server.identity != before.identity:
            self._begin_anew()
        if before.no_deadline and not server.no_deadline:
            self._ask_again()
        return "" if server.no_deadline else self._renew_reference()

    def asked_for(self, server: State) -> bool:
        """Whether what that server has is what we asked for."""
        return self._original is not None and self._original.is_ours(
            server.identity, server.setting
        )

    def note_in_force(self) -> None:
        """Once what was asked for last is in force, nothing asked for earlier is ours.

        Where that is what was found, nothing is ours any more.
        """
        original, now = self._original, self._server
        if original is None:
            return
        if self._was_restored(original):
            self._is_restored = True
            self._forget()
            return
        if now.setting == original.ours[-1] and now.period_frames == self._asked:
            self._obeyed = self._asked
        if (known := original.seen(now.setting)) != original:
            self._original = known
            self._lease.amend_setting(self._setting, self._rules.restoring(known))

    def note_lapse(self, *, lease_stood: bool) -> None:
        """Once the lease has run out, what was found may be in force again: then none is ours."""
        self._lease_ran_out |= not lease_stood
        if self._lease_ran_out and self._original and self._server.setting == self._original.found:
            self._lease_ran_out, self._lapsed = False, LAPSED
            self._forget()

    def knob(self) -> Knob:
        """The period as it was found and its doubles; the present one where none was found yet."""
        found = self.found
        periods: tuple[int, ...] = (self._server.period_frames,)
        if found is not None:
            periods = doubles(found.period_frames, self._rules.longest())
        return Knob(
            PERIOD,
            Choice(periods),
            "cpu",  # as the threads: what either of them cures is seen in the same xruns
            delay_s=0.2,
            settle_s=5.0,
            disruption_ms=PERIOD_DISRUPTION_MS,
            lapsed=self._lapsed,
            obstacle=self._rules.obstacle(),
        )

    def in_force(self) -> int:
        """The period, as asked for where the server makes another of it by itself.

        Where its rate changes, what is forced on it stays and the period does not.
        """
        if self._obeyed is None or not self.asked_for(self._server):
            return self._server.period_frames
        return self._obeyed

    def apply(self, value: KnobValue) -> Refusal | None:
        """Ask for a period."""
        if obstacle := self._rules.obstacle():
            return Refusal(PERIOD, obstacle, passing=True)
        domain = self.knob().domain
        if not domain.allows(value):
            return Refusal(PERIOD, f"{value} is not allowed: {domain}")
        original, now = self._original, self._server
        is_ours = original is not None and self.asked_for(now)
        return self._turn(value, original.found if original and is_ours else now.setting)

    def restore(self) -> Refusal | None:
        """Ask for what was found, where it was turned."""
        if self._original is None or self.found is None:
            return None
        return self._turn(self.found.period_frames, self.found.setting)

    def close(self) -> None:
        """Restore the period, once the monitor takes no orders any more."""
        self._lease.restore_setting(self._setting)

    @property
    def _setting(self) -> str:
        """The name under which the lease holds the period to be restored."""
        return f"the period of {self._rules.server}"

    def _was_restored(self, original: OriginalSetting) -> bool:
        """Whether what was found is in force again, as another period perhaps by now."""
        now = self._server
        if not now.setting == original.found == original.ours[-1]:
            return False
        return now.period_frames == self._asked or not self._is_under_way()

    def _is_under_way(self) -> bool:
        return self._server.time_ns - self._asked_ns <= GRACE_NS

    def _begin_anew(self) -> None:
        """Another server plays: of what we did nothing is left."""
        if self._original is not None or self._is_restored:
            self._lapsed = RESTARTED
        self.found, self._is_restored = None, False
        self._forget()

    def _forget(self) -> None:
        """Forget all that was ours: none is left to be restored."""
        self._original = self._obeyed = None
        self._lease.forget_setting(self._setting)

    def _ask_again(self) -> None:
        """Order once more what an export swallowed, where nobody set anything meanwhile."""
        original, now = self._original, self._server.setting
        if original is None or now == original.ours[-1]:
            return
        if now in (original.found, *original.ours):
            self._asked_ns = self._server.time_ns
            self._rules.tell(f"period {original.ours[-1]}")

    def _renew_reference(self) -> str:
        """Take the server in motion for what was found, where nothing of ours is in force.

        Where the period must stay as it is from now on, what we made of it is restored.
        """
        if not self.asked_for(self._server):
            before, self.found = self.found, self._server
            if self._is_restored and before and before.period_frames != self.found.period_frames:
                self._is_restored, self._lapsed = False, CHANGED
        elif (why := self._rules.obstacle()) and self.found is not None:
            return self._withdraw(self.found, why)
        return ""

    def _withdraw(self, found: State, why: str) -> str:
        """Restore the period, which must not be ours any more; what happened."""
        is_asked_for = self._asked == found.period_frames and self._is_under_way()
        if self._server.setting == found.setting or is_asked_for:
            return ""
        refusal = self._turn(found.period_frames, found.setting)
        if refusal is not None:
            told, self._refused = self._refused, refusal.reason
            again = told == refusal.reason  # which would be said with every line
            return "" if again else f"the period could not be restored: {refusal.reason}"
        self._lapsed = f"it was restored: {why}"
        return f"the period was restored: {why}"

    def _turn(self, value: KnobValue, found: int) -> Refusal | None:
        """Ask for a period, once the lease holds that `found` is to be restored."""
        if not isinstance(value, int):
            return Refusal(PERIOD, f"{value} is no number of frames")
        setting = self._rules.setting_for(value)
        before = self._original.ours if self._original else ()
        original = OriginalSetting(found, before, self._server.identity).asked_for(setting)
        try:
            self._lease.register_setting(self._setting, self._rules.restoring(original))
        except WatchdogError as error:
            return Refusal(PERIOD, str(error))
        if not self._rules.tell(f"period {setting}"):
            self._hold_original_again()
            return Refusal(PERIOD, "the monitor of the server takes no orders now")
        self._original, self._obeyed = original, None
        self._asked, self._asked_ns = value, self._server.time_ns
        self._is_restored = self._lease_ran_out = False
        self._lapsed = self._refused = ""
        return None

    def _hold_original_again(self) -> None:
        """Take a request back: only what was ours before is to be restored."""
        if self._original is None:
            self._lease.forget_setting(self._setting)
        else:
            self._lease.amend_setting(self._setting, self._rules.restoring(self._original))


def doubles(found: int, longest: int) -> tuple[int, ...]:
    """The period as it was found, and its doubles."""
    periods = [found]
    while periods[-1] * 2 <= longest:
        periods.append(periods[-1] * 2)
    return tuple(periods)

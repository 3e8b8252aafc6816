"""The knob `period_frames` of a server that is not ours: the last resort, and put back exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from controller.errors import WatchdogError
from controller.plants.audio_server.put_back import PutBack
from controller.plants.audio_server.state import State
from controller.watchdog.lease import Lease
from controller.watchdog.restoration import Undo
from policies.knobs import Choice, Knob, KnobValue
from policies.proposal import Refusal

PERIOD = "period_frames"
LONGEST_PERIOD = 4096
PERIOD_DISRUPTION_MS = 27.0
"""What a change of the period interrupted the sound of JACK for at worst, with two processors."""
LAPSED = "our own watchdog put it back, since no sign of life had come from this controller"
RESTARTED = "the server was started again, and plays the period of its own"
CHANGED = "it had been put back, and somebody else has changed it since"
GRACE_NS = 5_000_000_000
"""So long an order is under way at most, and what was found may come back as another period."""


@dataclass(frozen=True, slots=True)
class PeriodRules:
    """What the plant of a server knows of its period.

    `setting_for` is what is asked for to have a period of so many frames, `obstacle` why it must
    not be turned as things are (empty where it may), `longest` the longest that the server would
    play, `undo` the command line that puts it back without this process. `tell` gives the
    monitor an order; whether there is somebody to take it.
    """

    server: str
    setting_for: Callable[[int], int]
    obstacle: Callable[[], str]
    longest: Callable[[], int]
    undo: Callable[[PutBack], Undo]
    tell: Callable[[str], bool]


class PeriodKnob(Generic[State]):
    """Turns the period, and knows what of it is ours and what is to be put back.

    `found` is the server in motion as it was found, or as somebody else set it since: the
    reference for its deadline and for the periods to choose from; None until it moves.
    """

    def __init__(self, rules: PeriodRules, lease: Lease, server: State) -> None:
        self._rules = rules
        self._lease = lease
        self._server = server
        self.found: State | None = None if server.no_deadline else server
        self._held: PutBack | None = None
        self._asked: int | None = None
        self._asked_ns = 0
        self._obeyed: int | None = None
        self._is_back = self._lease_ran_out = False
        self._lapsed = self._refused = ""

    @property
    def deadline_ms(self) -> float:
        """One period as it was found, or as somebody else set it since."""
        return (self.found or self._server).period_ms

    def see(self, server: State) -> str:
        """Take a new line of the monitor; what came of it, empty where nothing did."""
        before, self._server = self._server, server
        if server.identity != before.identity:
            self._begin_anew()
        return "" if server.no_deadline else self._renew_reference()

    def asked_for(self, server: State) -> bool:
        """Whether what that server has is what we asked for."""
        return self._held is not None and self._held.is_due(server.identity, server.setting)

    def note_in_force(self) -> None:
        """Once what was asked for last is in force, nothing asked for earlier is ours.

        Nor is that, where it is what was found.
        """
        held, now = self._held, self._server
        if held is None:
            return
        if self._came_back(held):
            self._is_back = True
            self._let_go()
            return
        if now.setting == held.ours[-1] and now.period_frames == self._asked:
            self._obeyed = self._asked
        if (known := held.seen(now.setting)) != held:
            self._held = known
            self._lease.amend_setting(self._setting, self._rules.undo(known))

    def note_lapse(self, *, lease_stood: bool) -> None:
        """Once the lease has run out, what was found may be in force again: then none is ours."""
        self._lease_ran_out |= not lease_stood
        if self._lease_ran_out and self._held and self._server.setting == self._held.found:
            self._lease_ran_out, self._lapsed = False, LAPSED
            self._let_go()

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
        held, now = self._held, self._server
        is_ours = held is not None and self.asked_for(now)
        return self._turn(value, held.found if held and is_ours else now.setting)

    def restore(self) -> Refusal | None:
        """Ask for what was found, where it was turned."""
        if self._held is None or self.found is None:
            return None
        return self._turn(self.found.period_frames, self.found.setting)

    def close(self) -> None:
        """Put it back, once the monitor takes no orders any more."""
        self._lease.put_setting_back(self._setting)

    @property
    def _setting(self) -> str:
        """What the period is called where it is held to be put back."""
        return f"the period of {self._rules.server}"

    def _came_back(self, held: PutBack) -> bool:
        """Whether what was found is in force again, as another period perhaps by now."""
        now = self._server
        if not now.setting == held.found == held.ours[-1]:
            return False
        return now.period_frames == self._asked or not self._is_under_way()

    def _is_under_way(self) -> bool:
        return self._server.time_ns - self._asked_ns <= GRACE_NS

    def _begin_anew(self) -> None:
        """This is another server: of what we did nothing is left."""
        if self._held is not None or self._is_back:
            self._lapsed = RESTARTED
        self.found, self._is_back = None, False
        self._let_go()

    def _let_go(self) -> None:
        """Nothing of ours is left to be put back."""
        self._held = self._obeyed = None
        self._lease.forget_setting(self._setting)

    def _renew_reference(self) -> str:
        """Take the server in motion for what was found, where nothing of ours is in force.

        Where the period must stay as it is from now on, what we made of it is put back.
        """
        if not self.asked_for(self._server):
            before, self.found = self.found, self._server
            if self._is_back and before and before.period_frames != self.found.period_frames:
                self._is_back, self._lapsed = False, CHANGED
        elif (why := self._rules.obstacle()) and self.found is not None:
            return self._give_back(self.found, why)
        return ""

    def _give_back(self, found: State, why: str) -> str:
        """Put the period back that must not be ours any more; what happened."""
        is_asked_for = self._asked == found.period_frames and self._is_under_way()
        if self._server.setting == found.setting or is_asked_for:
            return ""
        refusal = self._turn(found.period_frames, found.setting)
        if refusal is not None:
            told, self._refused = self._refused, refusal.reason
            again = told == refusal.reason  # which would be said with every line
            return "" if again else f"the period could not be put back: {refusal.reason}"
        self._lapsed = f"it was put back: {why}"
        return f"the period was put back: {why}"

    def _turn(self, value: KnobValue, found: int) -> Refusal | None:
        """Ask for a period, once it is held that `found` is to be put back."""
        if not isinstance(value, int):
            return Refusal(PERIOD, f"{value} is no number of frames")
        setting = self._rules.setting_for(value)
        before = self._held.ours if self._held else ()
        held = PutBack(found, before, self._server.identity).asked_for(setting)
        try:
            self._lease.hold_setting(self._setting, self._rules.undo(held))
        except WatchdogError as error:
            return Refusal(PERIOD, str(error))
        if not self._rules.tell(f"period {setting}"):
            self._hold_as_before()
            return Refusal(PERIOD, "the monitor of the server takes no orders now")
        self._held, self._obeyed = held, None
        self._asked, self._asked_ns = value, self._server.time_ns
        self._is_back = self._lease_ran_out = False
        self._lapsed = self._refused = ""
        return None

    def _hold_as_before(self) -> None:
        """Nothing was asked for: only what was ours before is to be put back."""
        if self._held is None:
            self._lease.forget_setting(self._setting)
        else:
            self._lease.amend_setting(self._setting, self._rules.undo(self._held))


def doubles(found: int, longest: int) -> tuple[int, ...]:
    """The period as it was found, and its doubles."""
    periods = [found]
    while periods[-1] * 2 <= longest:
        periods.append(periods[-1] * 2)
    return tuple(periods)

from __future__ import annotations

import json
import os

from controller.guardian import Guardian, decode, encode
from controller.restoration import Original
from controller.scheduling import Scheduling, ThreadId

THREAD = ThreadId(4194304, 123)  # beyond the largest id: no such thread
ORIGINAL = Original(Scheduling(os.SCHED_FIFO, 80, -11, frozenset({0, 3}), True), 77)
HOLD = json.dumps(["hold", encode(THREAD, ORIGINAL)]).encode()


def test_a_registration_survives_the_pipe() -> None:
    assert decode(json.loads(json.dumps(encode(THREAD, ORIGINAL)))) == (THREAD, ORIGINAL)


def test_a_hold_is_acknowledged_and_a_renewal_is_not() -> None:
    guardian = Guardian(10.0)
    assert guardian.hear(HOLD, 100.0) == b'["held"]\n'
    assert guardian.hear(b'["renew"]', 101.0) == b""


def test_the_lease_runs_from_the_last_message() -> None:
    guardian = Guardian(10.0)
    guardian.hear(HOLD, 100.0)
    guardian.hear(b'["renew"]', 104.0)
    assert guardian.remaining_s(105.0) == 9.0
    assert guardian.remaining_s(114.0) == 0.0


def test_a_lease_on_nothing_does_not_run_out() -> None:
    guardian = Guardian(10.0)
    guardian.hear(b'["renew"]', 100.0)
    assert guardian.remaining_s(1000.0) is None


def test_a_lease_that_ran_out_begins_anew_with_the_next_renewal() -> None:
    guardian = Guardian(10.0)
    guardian.hear(HOLD, 100.0)
    assert guardian.expire() == b'["expired"]\n'
    assert guardian.remaining_s(200.0) is None
    guardian.hear(b'["renew"]', 200.0)
    assert guardian.remaining_s(201.0) == 9.0

"""A real-time thread that never pauses is restored, though it leaves no time for anybody else.

It is tried on the last processor, and ends by itself after some seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.errors import StarvationError
from controller.linux import scheduling
from controller.linux.permissions import permitted
from controller.watchdog import lease as lease_module
from controller.watchdog.lease import Lease

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not permitted().realtime, reason="real-time is refused here"),
]

PROCESSOR = max(os.sched_getaffinity(0))
HOG = f"""
import os, time
os.sched_setaffinity(0, {{{PROCESSOR}}})
print("up", flush=True)
end_s = time.monotonic() + 8.0
while time.monotonic() < end_s:
    pass
"""
# As heavy as it may be without harm: it leaves a tenth of each period of 5 ms.
BUSY = HOG.replace(
    "    pass", "    due_s = time.monotonic() + 0.005\n"
    "    while time.monotonic() < due_s - 0.0005: pass\n"
    "    time.sleep(0.0005)",
)  # fmt: skip


@pytest.fixture
def raised(request: pytest.FixtureRequest) -> Iterator[tuple[Lease, scheduling.ThreadId]]:
    """A process that was made real-time under a lease, and the lease."""
    process = subprocess.Popen(
        [sys.executable, "-c", request.param], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    (thread,) = scheduling.threads_of(process.pid)
    with Lease.start() as lease:
        lease.register(thread)
        found = lease.originals()[thread].scheduling
        wanted = replace(found, policy=os.SCHED_FIFO, priority=60, reset_on_fork=True)
        scheduling.write(thread, wanted)
        yield lease, thread
    process.kill()
    process.wait()
    process.stdout.close()


def renews_for(lease: Lease, patience_s: float) -> bool:
    give_up_s = time.monotonic() + patience_s
    while time.monotonic() < give_up_s:
        if not lease.renew():
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("raised", [HOG], indirect=True)
def test_a_hog_is_restored_within_seconds_and_nothing_is_raised_again_for_a_while(
    raised: tuple[Lease, scheduling.ThreadId], monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, thread = raised
    found = lease.originals()[thread].scheduling
    assert not renews_for(lease, 6.0)
    assert scheduling.read(thread) == found
    assert f"processor {PROCESSOR} had no time left" in (lease.warn() or "")
    assert lease.renew()
    with pytest.raises(StarvationError, match="for 10 minutes"):
        lease.register(thread)
    monkeypatch.setattr(lease_module, "STARVATION_S", 0.0)
    assert lease.warn() is None
    lease.register(thread)


@pytest.mark.parametrize("raised", [BUSY], indirect=True)
def test_a_thread_that_works_hard_and_pauses_stays_raised(
    raised: tuple[Lease, scheduling.ThreadId],
) -> None:
    lease, thread = raised
    assert renews_for(lease, 5.0)
    assert scheduling.read(thread).policy == os.SCHED_FIFO

"""Measures the gap in the sound of a JACK server while its period is changed."""

from __future__ import annotations

import threading
import time
from typing import Any

POLL_S = 0.0005
LONGEST_GAP_S = 1.0
"""Time without a cycle, s, after which none is waited for any more."""


class CycleWatch:
    """Looks for cycles all the time: the longest time between two of them is the gap."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._longest_s = 0.0
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The longest time without a new cycle until one has begun after the change, seconds."""
        self._settled.set()
        self._thread.join()
        return self._longest_s

    def _look(self) -> None:
        last, last_s = self._client.last_frame_time, time.monotonic()
        give_up_s = None
        while True:
            time.sleep(POLL_S)
            now_s, frames = time.monotonic(), self._client.last_frame_time
            if frames != last:
                self._longest_s = max(self._longest_s, now_s - last_s)
                last, last_s = frames, now_s
                if give_up_s is not None:
                    return
            elif self._settled.is_set():
                give_up_s = give_up_s or now_s + LONGEST_GAP_S
                if now_s > give_up_s:
                    self._longest_s = max(self._longest_s, now_s - last_s)
                    return

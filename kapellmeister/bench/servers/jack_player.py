"""A JACK client that others might have written: filters of 2048 taps on what it plays.

`python -m kapellmeister.bench.servers.jack_player` says when it plays; with `--busy` another
thread of its interpreter computes all the time, which its callback then has to wait for.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kapellmeister.calibration.jack_client import load_jack

TAPS = 2048
FILTERS = 8
"""About a tenth of a period of 256 frames: hogs disturb what hardly runs at all by chance only."""
FILTERS_IF_BUSY = 1
"""Each gives the interpreter's lock away, and has to wait for it again."""


def main(*, busy: bool) -> None:
    """Play until the input ends."""
    client = load_jack().Client("player")
    heard = client.inports.register("heard")
    played = client.outports.register("played")
    filters = FILTERS_IF_BUSY if busy else FILTERS
    generator = np.random.default_rng(1)
    impulse_responses = generator.standard_normal((filters, TAPS)).astype(np.float32)
    past: NDArray[np.float32] = np.zeros(TAPS - 1, np.float32)

    def process(_frames: int) -> None:
        nonlocal past
        block, space = heard.get_array(), played.get_array()
        signal: NDArray[np.float32] = np.concatenate((past, block))
        filtered = np.zeros(block.size, np.float32)
        for impulse_response in impulse_responses:
            filtered += np.convolve(signal, impulse_response, "valid")
        common = min(filtered.size, space.size)  # they differ in the cycle of a new period
        space[:common] = filtered[:common]
        past = signal[1 - TAPS :]

    set_process_callback: Any = client.set_process_callback
    set_process_callback(process)
    client.activate()
    if busy:
        threading.Thread(target=_compute, daemon=True).start()
    print("playing", flush=True)
    sys.stdin.read()


def _compute() -> None:
    while True:
        pass


if __name__ == "__main__":
    main(busy="--busy" in sys.argv)

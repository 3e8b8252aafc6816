"""A JACK client that does on its server what it is told, line by line, and says when it is done.

`python scripted_jack_client.py NAME` plays silence, so that it has an audio thread; with `--idle`
it asks for no cycle. The orders are `freewheel 1`, `period 512`, `period`, `transport start`,
`connect CLIENT` and `clients`.
"""

from __future__ import annotations

import sys
from typing import Any

import jack


def main(name: str, *, idle: bool) -> None:
    """Obey until the input ends."""
    client = jack.Client(name, no_start_server=True)
    if not idle:
        played = client.outports.register("played")

        def process(frames: int) -> None:
            played.get_buffer()[:] = bytes(4 * frames)

        client.set_process_callback(process)
    client.activate()
    print("ready", flush=True)
    for line in sys.stdin:
        print(obey(client, *line.split()), flush=True)


def obey(client: Any, what: str, argument: str = "") -> str:
    """Carry out an order; returns the answer."""
    if what == "freewheel":
        client.set_freewheel(argument == "1")
    elif what == "period" and not argument:
        return str(client.blocksize)
    elif what == "period":
        client.blocksize = int(argument)
    elif what == "transport":
        client.transport_start() if argument == "start" else client.transport_stop()
    elif what == "connect":
        for heard in client.get_ports(f"{argument}:", is_audio=True, is_input=True):
            client.connect(client.outports[0], heard)
    elif what == "clients":
        return " ".join(sorted({port.name.partition(":")[0] for port in client.get_ports()}))
    else:
        return f"no such order: {what}"
    return "done"


if __name__ == "__main__":
    main(sys.argv[1], idle="--idle" in sys.argv)

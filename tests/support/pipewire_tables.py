"""Output of PipeWire's tools on cycles, as it was recorded or is documented."""

from __future__ import annotations


def row(*followers: str, period: str = "1335", total: str = "60") -> bytes:
    columns = [period, total, "0", "1333", *(each for one in followers for each in one.split())]
    return "\t".join((*columns, *[" "] * 8 * (64 - len(followers)), "\n")).encode()


DONE, NOT_WOKEN, NOT_DONE = "41 2 24 30 0 6 3 0", "40 7059 7059 19 0 0 1 0", "42 0 9 0 0 0 2 0"


HEADER = "S   ID  QUANT   RATE    WAIT    BUSY   W/Q   B/Q  ERR FORMAT           NAME \n"


TABLE = """\
S   30      0      0    ---     ---   ---   ---     0                  Dummy-Driver
R   36     64  48000  12.3µs   1.2ms  0.01  0.90    {0}    S16LE 2 48000 alsa_output.usb
R   41      0      0  24.1us   6.0us  0.02  0.00    {1}   F32LE 2 48000  + pw-play
R   42   1024  48000   +++     +++    +++   +++     {2}                   = Firefox
I   55   1024  48000    ---     ---   ---   ---    99    S16LE 2 48000 alsa_input.idle
"""


def seconds(number: float) -> int:
    return round(1e9 * number)


def shown(quantum: int, errors: int, busy: str = "1.2ms", rate_hz: int = 48_000) -> str:
    figures = f"{quantum} {rate_hz} 12.3us {busy} 0.01 0.90 {errors}"
    return f"{HEADER}R 36 {figures} S16LE 2 48000 alsa_output.usb\n"

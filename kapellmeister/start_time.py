"""When this command began, loaded first of all: what follows may take seconds.

The start of the process is earlier, where a shell started programs and then became it by exec.
"""

from __future__ import annotations

import os
import time

BEGUN_TICKS = int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))
"""Clock ticks since boot, like a process's start in /proc."""

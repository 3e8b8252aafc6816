"""All that speaks to the kernel; the standard library alone, since the watchdog starts from
here.
"""

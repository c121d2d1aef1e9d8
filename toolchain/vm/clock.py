"""When an object was made is stored as wall time, which survives a reboot, and shown on the boot-time clock."""

from __future__ import annotations

import time


def boot_time_of(wall_ns: int) -> int:
    """Nanoseconds since boot of a moment given since 1970; 0 for one before the boot."""
    return max(time.clock_gettime_ns(time.CLOCK_BOOTTIME) - (time.time_ns() - wall_ns), 0)

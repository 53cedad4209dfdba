"""What the processor offers: cores that this process may really use, and its instructions."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

PROCESSOR_FILE = Path("/proc/cpuinfo")
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_cores(quota_file: Path = CGROUP_QUOTA) -> int:
    """Cores by affinity and container quota, at least 1.

    A container often sees all cores of its host but may only use the time of a few; threads beyond
    that wait for each other.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = quota_file.read_text().split()
        limit = int(quota) / int(period)
    except (OSError, ValueError):  # no container, another cgroup version, or "max"
        return max(1, cores or 1)
    return max(1, min(cores or 1, round(limit)))


def instruction_set(processor_file: Path = PROCESSOR_FILE) -> str:
    """A name that differs where a graph's layout may differ: the family and a hash of the flags."""
    try:
        lines = processor_file.read_text().splitlines()
        # x86 calls them flags, ARM calls them Features
        flags = next(line for line in lines if line.lower().startswith(("flags", "features")))
    except (OSError, StopIteration):  # not Linux
        flags = platform.processor()
    digest = hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()[:16]
    return f"{platform.machine()}-{digest}"

"""The cores that this process may really use."""

from __future__ import annotations

import os
from pathlib import Path

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

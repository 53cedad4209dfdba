"""Where the time of a training goes."""

from __future__ import annotations

import time

from rich.console import Console
from rich.table import Table


class LapTimes:
    """Sums the time between laps by name; on a GPU, whose work is queued, it says little."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.images = 0
        self.last = time.perf_counter()

    def start(self) -> None:
        """What passed until now belongs to no lap."""
        self.last = time.perf_counter()

    def lap(self, name: str) -> None:
        """The time since the last lap, or the start, belongs to ``name``."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.last
        self.last = now

    def print(self, title: str) -> None:
        """Images per second, and every lap's milliseconds an image and share."""
        total = sum(self.seconds.values())
        if not self.images or not total:
            return
        table = Table("part", "ms / image", "share", title=title)
        for name, seconds in sorted(self.seconds.items(), key=lambda item: -item[1]):
            table.add_row(name, f"{1e3 * seconds / self.images:.1f}", f"{seconds / total:.0%}")
        Console().print(table)
        print(f"{self.images / total:.1f} images per second")

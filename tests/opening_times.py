"""What opening runs costs the page's process: seconds to the first image, per further run, memory.

``python -m tests.opening_times [FOLDER OF RUNS]`` starts the page's own process twice, the second
time with what the first one cached, and asks every run about an example image; it judges nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.served_page import ROOT, memory_mb


def visit(folder: Path) -> None:
    """Build the page, then ask every run, and ask it again."""
    start = float(os.environ["OPENING_START"])
    import numpy as np
    from PIL import Image

    from app.cli import site_of
    from app.page import build_page
    from app.services.runs import shipped_runs

    site = site_of()
    page = build_page(site)  # noqa: F841, it is held as the server would
    runs = shipped_runs(folder)
    print(f"  page built after {time.time() - start:.1f} s, {memory_mb('VmRSS'):.0f} MB")
    image = np.asarray(Image.open(ROOT / "assets/examples/cat.jpg").convert("RGB"))
    spent: dict[str, list[float]] = {}
    for run in (run for run in runs for _ in range(2)):
        began = time.perf_counter()
        site.engines.answers(run, image)
        spent.setdefault(run.name, []).append(time.perf_counter() - began)
        if len(spent) == 1 and len(spent[run.name]) == 1:
            print(f"  first image after {time.time() - start:.1f} s, {memory_mb('VmRSS'):.0f} MB")
    more = [first - second for first, second in list(spent.values())[1:]]
    print(
        "  opened for the first time, then again, s: "
        + ", ".join(f"{name} {first:.2f} {second:.2f}" for name, (first, second) in spent.items())
    )
    print(
        f"  a run never opened before: median {statistics.median(more):.2f} s more, "
        f"most {max(more):.2f} s"
    )
    print(
        f"  memory with all {len(spent)} runs opened: {memory_mb('VmRSS'):.0f} MB, "
        f"at its highest {memory_mb('VmHWM'):.0f} MB; torch: {'torch' in sys.modules}"
    )


def main() -> None:
    """Two starts over one cache."""
    folder = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "assets" / "runs")
    with tempfile.TemporaryDirectory() as cache:
        for title in ("empty cache", "second start"):
            print(title, flush=True)
            environment = os.environ | {"ONEHEAD_CACHE": cache, "OPENING_START": str(time.time())}
            command = [sys.executable, "-m", "tests.opening_times", folder]
            subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    visit(Path(sys.argv[1])) if "OPENING_START" in os.environ else main()

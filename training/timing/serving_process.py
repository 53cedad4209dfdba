"""Memory and start of a process that serves a run, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CODE = """
import json, resource, sys, time
start = time.perf_counter()
import numpy as np
from mtl_core.engine.stage_bank import StageBank
paths, side = json.loads(sys.argv[1]), int(sys.argv[2])
bank = StageBank(paths)
opened = time.perf_counter()
rng = np.random.default_rng(0)
for shape in ((side, side), (side, side * 3 // 4), (side * 3 // 4, side)):
    bank.predict_all(rng.integers(0, 256, (*shape, 3)).astype(np.uint8))
try:  # of this program alone; getrusage would count what started it, too
    status = open("/proc/self/status").read()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 2**10
except (OSError, IndexError):  # not Linux
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
print(json.dumps({
    "open_s": round(opened - start, 3),
    "peak_mb": round(peak_mb),
    "torch_was_imported": "torch" in sys.modules,
}))
"""


def serving(stages: list[Path], side_px: int) -> dict[str, Any]:
    """Open a bank over all stages from cached graphs and answer three images.

    Returns:
        ``open_s`` (seconds from the first import to the open bank), ``peak_mb`` (resident memory),
        ``torch_was_imported``.
    """
    paths = json.dumps([str(path.resolve()) for path in stages])
    done = subprocess.run(
        [sys.executable, "-c", CODE, paths, str(side_px)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured

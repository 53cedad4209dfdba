"""Where a graph's time goes, operator by operator, as onnxruntime itself measures it."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from mtl_core.onnx_graphs.session import Graph
from mtl_core.onnx_graphs.template import Half
from mtl_core.onnx_graphs.weights import in_float32, read_weights


def operator_times(
    half: Half, checkpoint: Path, feed: dict[str, np.ndarray], threads: int, runs: int
) -> dict[str, float]:
    """Milliseconds per kind of operator in a run, the costliest first.

    The smallest time of every node counts: it is the one that nothing disturbed.

    Args:
        half: the graph.
        checkpoint: whose weights it holds.
        feed: its inputs.
        threads: that a run may use.
        runs: how often to run.
    """
    with tempfile.TemporaryDirectory() as folder:
        weights = in_float32(read_weights(checkpoint, half.shapes), checkpoint)
        prefix = str(Path(folder) / "profile")
        session = Graph(half.graph, threads, weights, profile=prefix).session
        for _ in range(runs):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["args"]["op_name"], event["name"]].append(event["dur"] / 1e3)
    sums: dict[str, float] = defaultdict(float)
    for (operator, _), values in times.items():
        sums[operator] += min(values)
    return {k: round(v, 3) for k, v in sorted(sums.items(), key=lambda item: -item[1])}

"""onnxruntime sessions: graphs with their weights, working in memory that all of them share."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from weakref import WeakValueDictionary

import onnxruntime as ort

from mtl_core.onnx_graphs.processor import available_cores
from mtl_core.onnx_graphs.template import Half
from mtl_core.onnx_graphs.weights import Weights, in_float32, read_weights
from mtl_core.runs.checkpoint import weights_digest

_TAKING = threading.Lock()


@cache
def _share_memory() -> None:
    """Let all sessions work in one arena: each of its own would keep what its largest run took."""
    kind, use = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, ort.OrtMemType.DEFAULT
    ort.create_and_register_allocator(ort.OrtMemoryInfo("Cpu", kind, 0, use), None)


class Graph:
    """A graph ready to run; safe to use from several threads.

    Args:
        content: the serialised ONNX model.
        threads: that one run may use; 0 takes all available cores.
        weights: float32, those that the model lacks, by name.
        key: equal keys mean that equal graphs have equal weights.
        profile: how the name of a file begins into which onnxruntime writes what each operator
            took, when its session's profiling ends; by default none is written.
    """

    def __init__(
        self,
        content: bytes,
        threads: int = 0,
        weights: Weights | None = None,
        key: str = "",
        profile: str = "",
    ) -> None:
        with _TAKING:
            _share_memory()
        self.key = key
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.log_severity_level = 3
        options.add_session_config_entry("session.use_env_allocators", "1")
        # The threads of a graph that has ended must not spin while the next graph runs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if profile:
            options.enable_profiling = True
            options.profile_file_prefix = profile
        # Held until the session is there: onnxruntime copies them only then.
        held = {n: ort.OrtValue.ortvalue_from_numpy(v) for n, v in (weights or {}).items()}
        options.add_external_initializers(list(held), list(held.values()))
        self.session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def __call__(self, values: Sequence[ort.OrtValue]) -> list[ort.OrtValue]:
        """Run; inputs and outputs in the graph's order, never copied."""
        feed = dict(zip(self.inputs, values, strict=True))
        outputs: list[ort.OrtValue] = self.session.run_with_ort_values(self.outputs, feed)
        return outputs


# Engines and banks of runs that share a checkpoint use the same graphs: one that is held is given
# to all who ask.
_OPEN: WeakValueDictionary[tuple[str, int], Graph] = WeakValueDictionary()


def open_graph(half: Half, checkpoint: Path, threads: int = 0) -> Graph:
    """The process's one session for a graph with a checkpoint's weights and a number of threads.

    Args:
        half: the graph.
        checkpoint: a stage checkpoint (.safetensors) of the graph's architecture.
        threads: that one run may use; 0 takes all available cores.

    Raises:
        InputError: the weights do not fit the graph, or are not finite.
    """
    threads = threads or available_cores()
    stored = read_weights(checkpoint, half.shapes)
    key = hashlib.sha256(half.graph + weights_digest(stored).encode()).hexdigest()
    graph = _OPEN.get((key, threads))
    if graph is None:
        made = Graph(half.graph, threads, in_float32(stored, checkpoint), key)
        # Built outside the lock, which others would wait for; who comes second takes the first's.
        with _TAKING:
            graph = _OPEN.setdefault((key, threads), made)
    return graph

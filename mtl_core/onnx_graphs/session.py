"""onnxruntime sessions, set up for one graph after another on a few cores."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from weakref import WeakValueDictionary

import onnxruntime as ort

from mtl_core.onnx_graphs.processor import available_cores


class Graph:
    """A graph ready to run; safe to use from several threads.

    Args:
        content: the serialised ONNX model.
        threads: that one run may use; 0 takes all available cores.
    """

    def __init__(self, content: bytes, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.log_severity_level = 3
        # The threads of a graph that has ended must not spin while the next graph runs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self.session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def __call__(self, values: Sequence[ort.OrtValue]) -> list[ort.OrtValue]:
        """Run; inputs and outputs in the graph's order, never copied."""
        feed = dict(zip(self.inputs, values, strict=True))
        return self.session.run_with_ort_values(self.outputs, feed)


# A session holds tens of megabytes of working memory beside its weights. Engines and banks of one
# run use the same graphs, so a graph that someone still holds is given to whoever asks next.
_OPEN: WeakValueDictionary[tuple[str, int], Graph] = WeakValueDictionary()
_OPENING = threading.Lock()


def shared_graph(key: str, content: bytes, threads: int = 0) -> Graph:
    """The process's one session for this graph and number of threads.

    Args:
        key: equal keys mean equal graphs (see graph_cache).
        content: the serialised ONNX model, used if nobody holds the graph yet.
        threads: that one run may use; 0 takes all available cores.
    """
    threads = threads or available_cores()
    with _OPENING:
        graph = _OPEN.get((key, threads))
        if graph is None:
            graph = _OPEN[key, threads] = Graph(content, threads)
        return graph

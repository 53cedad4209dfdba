"""Rewrites of exported ONNX graphs that make onnxruntime faster and change no result.

Every rewrite looks for a pattern and leaves alone whatever does not match it, so another backbone
only loses speed. Whoever calls this compares the outcome with PyTorch's output afterwards.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

Nodes = list[onnx.NodeProto]


def cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants folded and pads merged, nothing else."""
    model = fold_constants(model)
    merge_pads(model)
    drop_unused(model)
    return model


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """What onnxruntime can compute beforehand, computed: constant pads among it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def weightless(model: onnx.ModelProto, names: Mapping[str, str]) -> onnx.ModelProto:
    """A cleaned graph whose weights are left out, to be put in when a session is opened.

    Args:
        model: as it was exported.
        names: of the initialisers that are weights, and what they are called from now on.
    """
    weights = [t for t in model.graph.initializer if t.name in names]
    for tensor in weights:
        # What onnxruntime takes for an input it cannot fold into anything.
        value = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.append(value)
        model.graph.initializer.remove(tensor)
    model = cleaned(model)
    for value in [v for v in model.graph.input if v.name in names]:
        model.graph.input.remove(value)
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
    used = {name for node in model.graph.node for name in node.input}
    for tensor in weights:
        if names[tensor.name] in used:
            absent = onnx.TensorProto(
                name=names[tensor.name],
                data_type=tensor.data_type,
                dims=tensor.dims,
                data_location=onnx.TensorProto.EXTERNAL,
            )
            absent.external_data.add(key="location", value="weights")
            model.graph.initializer.append(absent)
    return model


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Initialisers by name."""
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def readers(model: onnx.ModelProto) -> dict[str, Nodes]:
    """Per value the nodes that read it; an output of the graph counts as one more, nameless."""
    found: dict[str, Nodes] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            found[name].append(node)
    for output in model.graph.output:
        found[output.name].append(onnx.NodeProto())
    return found


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes as Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def merge_pads(model: onnx.ModelProto) -> None:
    """Pad by zeros, then Conv -> one Conv with its own, unequal pads.

    A Pad node copies the whole map and keeps onnxruntime from its blocked layout there.
    """
    values, consumers = constants(model), readers(model)
    convolutions = {n.input[0]: n for n in model.graph.node if n.op_type == "Conv"}
    for pad in [n for n in model.graph.node if n.op_type == "Pad"]:
        convolution = convolutions.get(pad.output[0])
        if convolution is None:
            continue
        amounts = values.get(pad.input[1])
        fill = values.get(pad.input[2], np.ones(1)) if len(pad.input) > 2 and pad.input[2] else 0
        plain = (
            len(consumers[pad.output[0]]) == 1
            and attributes(pad).get("mode", b"constant") == b"constant"
            and amounts is not None
            and amounts.shape == (8,)
            and not np.any(fill)
            and not amounts[[0, 1, 4, 5]].any()
            and (amounts >= 0).all()
        )
        if not plain or amounts is None:
            continue
        own = np.array(attributes(convolution).get("pads", [0, 0, 0, 0]))
        merged = own + amounts[[2, 3, 6, 7]]
        kept = [a for a in convolution.attribute if a.name not in ("pads", "auto_pad")]
        del convolution.attribute[:]
        convolution.attribute.extend([*kept, helper.make_attribute("pads", merged.tolist())])
        convolution.input[0] = pad.input[0]
        model.graph.node.remove(pad)


def drop_unused(model: onnx.ModelProto) -> None:
    """Remove nodes and initialisers that nothing reads any more."""
    while True:
        used = {name for node in model.graph.node for name in node.input}
        used |= {output.name for output in model.graph.output}
        idle = [n for n in model.graph.node if not used & set(n.output)]
        if not idle:
            break
        for node in idle:
            model.graph.node.remove(node)
    for tensor in [t for t in model.graph.initializer if t.name not in used]:
        model.graph.initializer.remove(tensor)

"""Rewrites of exported ONNX graphs that make onnxruntime faster and change no result.

Every rewrite looks for a pattern and leaves alone whatever does not match it, so another backbone
only loses speed. Whoever calls this compares the outcome with PyTorch's output afterwards.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

Nodes = list[onnx.NodeProto]


def faster(model: onnx.ModelProto) -> onnx.ModelProto:
    """All rewrites in order: constants folded, pads merged, gains moved into projections."""
    model = cleaned(model)
    fold_gains(model)
    drop_unused(model)
    return model


def cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants folded and pads merged, nothing else."""
    model = fold_constants(model)
    merge_pads(model)
    drop_unused(model)
    return model


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """What onnxruntime can compute beforehand, computed: batch norms and constant pads among it."""
    return optimised(model, ort.GraphOptimizationLevel.ORT_ENABLE_BASIC)


def optimised(
    model: onnx.ModelProto,
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
) -> onnx.ModelProto:
    """What onnxruntime makes of a graph when it loads it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimised.onnx"
        options = ort.SessionOptions()
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


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


def fold_gains(model: onnx.ModelProto) -> None:
    """Map times gains per channel, then a 1 x 1 Conv -> the Conv's weights times the gains.

    W (g * x) = (W diag(g)) x. The maps of squeeze-and-excitation (J. Hu et al., CVPR 2018) are the
    largest of an MBConv block; scaling the weights instead spares onnxruntime one pass over them
    and one change of layout, as the multiplication does not know the blocked one.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in [*graph.value_info, *graph.input]
    }
    values, consumers = constants(model), readers(model)
    made_by = {name: node for node in model.graph.node for name in node.output}
    replaced: dict[int, tuple[onnx.NodeProto, Nodes]] = {}
    for convolution in [n for n in model.graph.node if n.op_type == "Conv"]:
        product = made_by.get(convolution.input[0])
        weight = values.get(convolution.input[1])
        if product is None or product.op_type != "Mul" or weight is None:
            continue
        gains = [name for name in product.input if shapes.get(name, [])[2:] == [1, 1]]
        found = attributes(convolution)
        plain = (
            len(gains) == 1
            and len(consumers[product.output[0]]) == 1
            and weight.shape[2:] == (1, 1)
            and found.get("group", 1) == 1
            and found.get("strides", [1, 1]) == [1, 1]
            and not any(found.get("pads", [0]))
        )
        if plain:
            big = next(name for name in product.input if name != gains[0])
            replaced[id(convolution)] = (
                product,
                _projection(model, convolution, weight[:, :, 0, 0], big, gains[0]),
            )
    rewritten: Nodes = []
    dropped = {id(product) for product, _ in replaced.values()}
    for node in model.graph.node:
        if id(node) in replaced:
            rewritten.extend(replaced[id(node)][1])
        elif id(node) not in dropped:
            rewritten.append(node)
    kept = [onnx.NodeProto.FromString(n.SerializeToString()) for n in rewritten]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _projection(
    model: onnx.ModelProto, convolution: onnx.NodeProto, weight: np.ndarray, big: str, gain: str
) -> Nodes:
    """The nodes for (weight * gain) @ big + bias, in the place of a 1 x 1 convolution."""
    out, channels = weight.shape
    prefix = f"{convolution.output[0]}/folded"

    def constant(name: str, value: np.ndarray) -> str:
        tensor = numpy_helper.from_array(np.ascontiguousarray(value), f"{prefix}/{name}")
        model.graph.initializer.append(tensor)
        return tensor.name

    flat_shape = constant("flat_shape", np.array([0, channels, -1], np.int64))
    gain_shape = constant("gain_shape", np.array([0, 1, channels], np.int64))
    first = constant("first_dims", np.array([0, out], np.int64))
    matrix = constant("weight", weight)
    names = {n: f"{prefix}/{n}" for n in ("flat", "gain", "scaled", "y", "biased", "hw", "shape")}
    nodes = [
        helper.make_node("Reshape", [big, flat_shape], [names["flat"]]),
        helper.make_node("Reshape", [gain, gain_shape], [names["gain"]]),
        helper.make_node("Mul", [matrix, names["gain"]], [names["scaled"]]),
        helper.make_node("MatMul", [names["scaled"], names["flat"]], [names["y"]]),
        helper.make_node("Shape", [big], [names["hw"]], start=2),
        helper.make_node("Concat", [first, names["hw"]], [names["shape"]], axis=0),
    ]
    last = names["y"]
    if len(convolution.input) > 2 and convolution.input[2]:
        bias = constants(model)[convolution.input[2]]
        column = constant("bias", bias[:, None])
        nodes.append(helper.make_node("Add", [last, column], [names["biased"]]))
        last = names["biased"]
    nodes.append(helper.make_node("Reshape", [last, names["shape"]], [convolution.output[0]]))
    return nodes


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

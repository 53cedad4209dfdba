"""A graph in onnxruntime's own blocked layout, with squeeze-and-excitation brought into it.

On a CPU onnxruntime turns convolutions to a layout of channel blocks (NCHWc, 16 or 8 channels wide)
when it loads a graph, and turns back wherever an operator does not know that layout: in an MBConv
block twice, for the mean and for the product with the gains, over the largest maps there are. Here
its optimised graph is taken, the mean becomes a pooling that knows the layout, the gains move into
the weights of the projection that follows (W (g * x) = (W diag(g)) x), and residual sums into the
convolutions before them.

Such a graph is for one image at a time, for the processor and the version of onnxruntime that
made it, and must be compared with PyTorch's output before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mtl_core.onnx_graphs.rewrites import attributes, constants, drop_unused, optimised, readers

NCHWC = "com.microsoft.nchwc"


@cache
def block_width() -> int:
    """Channels in a block on this processor; 0 where onnxruntime uses no blocked layout."""
    out = 17  # is rounded up to whole blocks: to 32, 24 or 20
    weight = numpy_helper.from_array(np.zeros((out, 16, 1, 1), np.float32), "weight")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "weight"], ["y"])],
        "subset",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, out, 8, 8])],
        [weight],
    )
    opset = helper.make_opsetid("", 18)
    subset = optimised(helper.make_model(graph, opset_imports=[opset], ir_version=9))
    if not any(node.domain == NCHWC for node in subset.graph.node):
        return 0
    return max(t.dims[0] for t in subset.graph.initializer) - 16


@dataclass(frozen=True)
class Gained:
    """A projection of a map times gains, as onnxruntime left it.

    Attributes:
        projection: the 1 x 1 convolution.
        blocked: name of the map in the blocked layout.
        plain: name of the same map in the plain layout.
        gains: name of the gains in the blocked layout, which for one cell equals the plain one.
    """

    projection: onnx.NodeProto
    blocked: str
    plain: str
    gains: str


def blocked(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph as the head of this file says.

    Raises:
        ValueError: this processor has no blocked layout, or there is nothing to bring into it.
    """
    width = block_width()
    result = optimised(model)
    found = list(gained_projections(result))
    if not width or not found:
        raise ValueError("there is no blocked layout here, or nothing to bring into it")
    for gained in found:
        fold_gains_blocked(result, gained, width)
        pool_blocked(result, gained)
    fold_sums(result)
    drop_unused(result)
    return result


def gained_projections(model: onnx.ModelProto) -> Iterator[Gained]:
    """ReorderInput(ReorderOutput(map) * ReorderOutput(gains)) before a 1 x 1 convolution."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    values, consumers = constants(model), readers(model)
    for node in model.graph.node:
        if (node.domain, node.op_type) != (NCHWC, "Conv") or node.input[1] not in values:
            continue
        if values[node.input[1]].shape[2:] != (1, 1) or attributes(node).get("group", 1) != 1:
            continue
        reorder = made_by.get(node.input[0])
        if reorder is None or reorder.op_type != "ReorderInput":
            continue
        product = made_by.get(reorder.input[0])
        if product is None or product.op_type != "Mul":
            continue
        plain = [n for n in product.input if any(r.op_type == "ReduceMean" for r in consumers[n])]
        sources = [made_by.get(name) for name in product.input]
        if len(plain) == 1 and all(s and s.op_type == "ReorderOutput" for s in sources):
            back = {s.output[0]: s.input[0] for s in sources if s}
            gains = next(name for name in product.input if name != plain[0])
            yield Gained(node, back[plain[0]], plain[0], back[gains])


def fold_gains_blocked(model: onnx.ModelProto, gained: Gained, width: int) -> None:
    """Multiply the projection's weights, not the map. Order in memory: O/b, C/b, b of C, b of O."""
    projection = gained.projection
    weight = constants(model)[projection.input[1]]
    out, channels = weight.shape[:2]
    if out % width or channels % width:
        return
    prefix = f"{projection.output[0]}/gained"

    def constant(name: str, value: np.ndarray) -> str:
        model.graph.initializer.append(numpy_helper.from_array(value, f"{prefix}/{name}"))
        return f"{prefix}/{name}"

    blocks = weight.reshape(out // width, channels // width, width, width)
    by_block = constant("by_block", np.array([1, channels // width, width, 1], np.int64))
    as_weight = constant("as_weight", np.array([out, channels, 1, 1], np.int64))
    # The gains are repeated first: then the product over all weights runs along whole rows.
    row = constant("row", np.ones((1, 1, 1, width), np.float32))
    steps = [
        ("Reshape", [gained.gains, by_block], "gains"),
        ("Mul", [f"{prefix}/gains", row], "rows"),
        ("Mul", [constant("weight", blocks), f"{prefix}/rows"], "product"),
        ("Reshape", [f"{prefix}/product", as_weight], "scaled"),
    ]
    nodes = [helper.make_node(kind, inputs, [f"{prefix}/{o}"]) for kind, inputs, o in steps]
    position = list(model.graph.node).index(projection)
    for offset, node in enumerate(nodes):
        model.graph.node.insert(position + offset, node)
    projection = model.graph.node[position + len(nodes)]
    projection.input[0], projection.input[1] = gained.blocked, f"{prefix}/scaled"


def pool_blocked(model: onnx.ModelProto, gained: Gained) -> None:
    """The mean over the plain map, then a change of layout -> a pooling of the blocked map."""
    consumers = readers(model)
    for mean in [n for n in consumers[gained.plain] if n.op_type == "ReduceMean"]:
        users = consumers[mean.output[0]]
        if attributes(mean).get("keepdims", 1) and all(u.op_type == "ReorderInput" for u in users):
            pooled = f"{gained.blocked}/pooled"
            pool = helper.make_node("GlobalAveragePool", [gained.blocked], [pooled], domain=NCHWC)
            model.graph.node.insert(list(model.graph.node).index(mean), pool)
            for user in users:
                rename(model, user.output[0], pooled)


def fold_sums(model: onnx.ModelProto) -> None:
    """A convolution, then a sum that onnxruntime makes in five axes -> a convolution that adds."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    consumers = readers(model)
    order = {name: i for i, node in enumerate(model.graph.node) for name in node.output}
    for add in [n for n in model.graph.node if n.op_type == "Add"]:
        shapes = [made_by.get(name) for name in add.input]
        if not all(s and s.op_type == "Reshape" for s in shapes) or len(shapes) != 2:
            continue
        users = consumers[add.output[0]]
        sources = [s.input[0] for s in shapes if s]
        if len(users) != 1 or users[0].op_type != "Reshape":
            continue
        # The later of the two takes up the earlier one.
        earlier, later = sorted(sources, key=lambda name: order.get(name, -1))
        convolution = made_by.get(later)
        fits = (
            convolution is not None
            and (convolution.domain, convolution.op_type) == (NCHWC, "Conv")
            and len(convolution.input) < 4
            and "activation" not in attributes(convolution)
            and len(consumers[later]) == 1
        )
        if fits and convolution is not None:
            padding = [""] * (3 - len(convolution.input))
            convolution.input.extend([*padding, earlier])
            rename(model, users[0].output[0], later)
            consumers = readers(model)


def rename(model: onnx.ModelProto, old: str, new: str) -> None:
    """Let every reader of one value read another."""
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new

"""An exported graph in int8, and what that costs in score.

Static quantisation by onnxruntime (QDQ, weights per channel), calibrated on training images.
Quantised are the projections of the backbone's blocks, which no activation follows, and the head's
1 x 1 convolutions. The rest stays in float: the stem, the depthwise convolutions and squeeze-and-
excitation because their ranges differ widely from channel to channel, the neck and the readouts
because all tasks hang on them, the expansions because SiLU, which follows them, has to be computed
in float, and changing to and fro takes longer than int8 saves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from tqdm import tqdm

from mtl_core.config import ModelConfig
from mtl_core.data.image_io import read_image
from mtl_core.data.splits import Split
from mtl_core.engine.preprocess import prepare
from mtl_core.onnx_graphs.rewrites import constants, readers
from mtl_core.tasks import TASKS
from mtl_core.tasks.data_roots import DataRoots, read_split
from training.onnx_export.exported_model import ExportedModel

MIN_CHANNELS = 64  # of a quantised convolution's wider side


class Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Training images, taken in turn from each task's set, as the graph's input."""

    def __init__(self, splits: list[Split], count: int, config: ModelConfig) -> None:
        self.files = list(islice(in_turn(splits), count))
        self.config = config
        self.left = iter(self.files)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next image, or None after the last."""
        path = next(self.left, None)
        return None if path is None else {"pixels": prepare(read_image(path), self.config)[0]}


def in_turn(splits: list[Split]) -> Iterator[Path]:
    """One image of each split after another, spread evenly over every split."""
    orders = [np.random.default_rng(0).permutation(len(split)) for split in splits]
    for i in range(max(len(order) for order in orders)):
        for split, order in zip(splits, orders, strict=True):
            if i < len(order):
                yield split.items[order[i]].image


def sturdy_nodes(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions that are quantised; see the file's head."""
    values, consumers = constants(model), readers(model)
    chosen = []
    for node in model.graph.node:
        weight = values.get(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or weight.shape[2:] != (1, 1) or max(weight.shape) < MIN_CHANNELS:
            continue
        activated = any(user.op_type in ("Sigmoid", "Mul") for user in consumers[node.output[0]])
        projection = "/blocks." in node.name and "/se/" not in node.name and not activated
        if projection or "/head/" in node.name:
            chosen.append(node.name)
    return chosen


def quantised(model: onnx.ModelProto, calibration: Calibration) -> onnx.ModelProto:
    """The graph with int8 weights and activations in its sturdy parts; metadata kept."""
    for i, node in enumerate(model.graph.node):
        node.name = node.name or f"node{i}"
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            calibration,
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=sturdy_nodes(model),
            per_channel=True,
            # Without VNNI the products of full 8 bits would overflow.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
        result = onnx.load(target)
    del result.metadata_props[:]
    helper.set_model_props(result, {p.key: p.value for p in model.metadata_props})
    return result


def scores(path: Path, roots: DataRoots, split: str) -> dict[str, float]:
    """mIoU, mAP, mAP50 and top1 of an exported file on a split, as fractions.

    Raises:
        InputError: the file or the data is not usable, or holds unknown classes.
    """
    model = ExportedModel(path)
    splits = [read_split(roots, task, split) for task in model.class_names]
    return scores_of(model, splits, path.name)


def scores_of(model: ExportedModel, splits: list[Split], title: str) -> dict[str, float]:
    """The same of an opened file, at the input size that it has now, with a bar of this title.

    Raises:
        InputError: the data holds unknown classes.
    """
    values: dict[str, float] = {}
    for data in splits:
        task = TASKS[data.task]
        meter = task(model.class_names[data.task]).meter(data)
        bar = tqdm(data.items, f"{title}, {data.task}", unit="image", leave=False, disable=None)
        for item in bar:
            image, truth = task.read(item, data)
            meter.add(model.predict(image, 0.0), truth)
        values |= meter.score().values
    return values

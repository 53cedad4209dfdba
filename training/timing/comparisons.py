"""What a benchmark compares: groups of cases that take turns, and the ratios drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import onnxruntime as ort

from mtl_core.data.letterbox import Placement
from mtl_core.decoding import decode
from mtl_core.engine import Engine
from mtl_core.engine.network_file import load_network
from mtl_core.engine.onnx_engine import OnnxEngine
from mtl_core.engine.preprocess import prepare
from mtl_core.engine.stage_bank import StageBank
from mtl_core.engine.torch_engine import TorchEngine
from mtl_core.onnx_graphs.template import template_of
from mtl_core.runs.checkpoint import read_header
from mtl_core.tasks import TASKS
from mtl_core.types import Kind
from training.onnx_export.exported_model import ExportedModel
from training.timing import image_path as around
from training.timing import networks
from training.timing.alternating_times import Case
from training.timing.operator_times import operator_times
from training.timing.other_networks import Other

BATCHES, QUICK_BATCHES = (1, 2, 4, 8, 16), (1, 2)
SIDES_PX, QUICK_SIDES_PX = (256, 320, 384, 448, 512, 640, 768), (256, 512)
METHODS = 6  # of a study that compares them, three stages each


@dataclass
class Comparison:
    """Cases that take turns, and what is made of their times.

    Attributes:
        cases: what to run.
        sums: further cases, each the sum of some, round by round.
        ratios: per name the case above and the case below the line.
    """

    cases: dict[str, Case]
    sums: dict[str, list[str]] = field(default_factory=dict)
    ratios: dict[str, tuple[str, str]] = field(default_factory=dict)


class Bench:
    """A run's last stage, ready in every form that is compared.

    Args:
        stages: the run's checkpoints, in order.
        threads: of every network.
        side_px: of the input that networks are compared at; the bank goes by the run's own size.
        quick: leave out the slow cases.
        others: anyone's networks to time in turn with ours.
    """

    def __init__(
        self,
        stages: list[Path],
        threads: int,
        side_px: int,
        quick: bool,
        others: Sequence[Other] = (),
    ) -> None:
        self.stages, self.threads, self.quick, self.others = stages, threads, quick, others
        self.last = stages[-1]
        self.info = read_header(self.last)
        self.side_px = side_px

    def pixels(self, side_px: int, batch: int = 1) -> np.ndarray:
        """N x S x S x 3 uint8 noise."""
        shape = (batch, side_px, side_px, 3)
        return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)

    @cached_property
    def ours(self) -> networks.OurGraphs:
        """The default engine's graphs."""
        return networks.OurGraphs.of(self.last, self.threads)

    @cached_property
    def classes(self) -> networks.Classes:
        """Numbers of classes; a task that the run lacks counts as one of ten."""
        return networks.Classes(
            **{task: len(self.info.class_names.get(task, range(10))) for task in TASKS}
        )

    def profile(self) -> dict[str, dict[str, float]]:
        """Milliseconds per operator of both halves, and per part of an image's way."""
        runs = 5 if self.quick else 30
        template = template_of(self.last)
        feed = {"pixels": self.pixels(self.side_px)}
        maps = {
            f"map{i}": value.numpy()
            for i, value in enumerate(
                self.ours.backbone([ort.OrtValue.ortvalue_from_numpy(feed["pixels"])])
            )
        }
        content = around.jpeg(around.scene(around.PHOTO_HW))
        engines: dict[str, Engine] = {
            "before, torch": TorchEngine(self.last),
            "after, onnx": OnnxEngine(self.last, self.threads),
        }
        ways = {}
        for name, engine in engines.items():
            walks = [around.Way(engine, content).walk() for _ in range(runs)][1:]
            ways[name] = {
                part: round(float(np.median([walk[part] for walk in walks])), 3)
                for part in around.PARTS
            }
        return {
            **ways,
            "backbone": operator_times(template.backbone, self.last, feed, self.threads, runs),
            "rest": operator_times(template.rest, self.last, maps, self.threads, runs),
        }


def engines(bench: Bench) -> Comparison:
    """The network alone: eager PyTorch, our graphs, the bare backbone, int8 where it was made."""
    pixels = bench.pixels(bench.side_px)
    network, _ = load_network(bench.last)
    backbone = networks.backbone_graph(network, bench.threads)
    plain_backbone = networks.backbone_graph(network, bench.threads, rewritten=False)
    cases = {
        "torch eager": networks.eager(bench.last, pixels, channels_last=False),
        "torch eager, channels last": networks.eager(bench.last, pixels, channels_last=True),
        "onnx": bench.ours.on(pixels),
        "bare backbone": networks.running(backbone, pixels),
        "bare backbone as exported": networks.running(plain_backbone, pixels),
    }
    ratios = {
        "onnx / torch eager": ("onnx", "torch eager"),
        "onnx / torch eager, channels last": ("onnx", "torch eager, channels last"),
        "whole network / bare backbone": ("onnx", "bare backbone"),
        "whole network / bare backbone as exported": ("onnx", "bare backbone as exported"),
    }
    for kind, suffix in (("float", ".onnx"), ("int8", ".int8.onnx")):
        file = bench.last.parent / "export" / f"{bench.last.stem}{suffix}"
        if file.is_file():
            model = ExportedModel(file, bench.threads)
            cases[f"exported, {kind}"] = partial(model.session.run, None, {"pixels": pixels})
    if "exported, int8" in cases and "exported, float" in cases:
        ratios["exported, int8 / float"] = ("exported, int8", "exported, float")
    return Comparison(cases, {}, ratios)


def specialists(bench: Bench) -> Comparison:
    """Our network beside three single-purpose ones, and beside three copies of itself.

    At the side that is compared, and at the run's own where that is another.
    """
    pixels = bench.pixels(bench.side_px)
    cases: dict[str, Case] = {"onehead": bench.ours.on(pixels)}
    own_px = bench.info.model.input_px
    own = f"onehead, {own_px} px"
    if own_px != bench.side_px:
        cases[own] = bench.ours.on(bench.pixels(own_px))
    sums: dict[str, list[str]] = {}
    sizes = {"usual sizes": dict(networks.USUAL_PX)}
    sizes[f"{bench.side_px} px"] = dict.fromkeys(networks.USUAL_PX, bench.side_px)
    for title, sides in sizes.items():
        parts = []
        for name, side in sides.items():
            case = f"{name}, {side} px"
            cases[case] = networks.specialist(name, side, bench.classes, bench.threads)
            parts.append(case)
        sums[f"three specialists, {title}"] = parts
    names = bench.info.class_names
    copies = networks.single_task_copies(bench.info.model, names, bench.threads)
    for task, graphs in copies.items():
        cases[f"onehead for {task} alone"] = graphs.on(pixels)
    sums["three single-task copies"] = [f"onehead for {task} alone" for task in copies]
    ratios = {f"onehead / {name}": ("onehead", name) for name in sums}
    if own in cases:
        usual = "three specialists, usual sizes"
        ratios[f"{own} / {usual}"] = (own, usual)
    return Comparison(cases, sums, ratios)


def bank(bench: Bench) -> Comparison:
    """All stages of an image through the bank, beside one stage, decoding included."""
    image = around.scene((bench.info.model.input_px, bench.info.model.input_px))
    one = OnnxEngine(bench.last, bench.threads)
    open_bank = partial(StageBank, threads=bench.threads)
    count = len(bench.stages)
    cases: dict[str, Case] = {"one stage": lambda: one.predict(image)}
    for turn, beside in (("side by side", True), ("one after another", False)):
        stages = open_bank(bench.stages, side_by_side=beside)
        cases[f"{count} stages, {turn}"] = partial(stages.predict_all, image)
        if not bench.quick:
            many = open_bank(bench.stages * METHODS, side_by_side=beside)
            cases[f"{count * METHODS} stages, {turn}"] = partial(many.predict_all, image)
    ratios = {f"{name} / one stage": (name, "one stage") for name in cases if name != "one stage"}
    return Comparison(cases, {}, ratios)


def growth(bench: Bench) -> Comparison:
    """How the network's cost grows with batch, size and threads."""
    cases: dict[str, Case] = {}
    for batch in QUICK_BATCHES if bench.quick else BATCHES:
        cases[f"batch {batch}"] = bench.ours.on(bench.pixels(bench.side_px, batch))
    for side in QUICK_SIDES_PX if bench.quick else SIDES_PX:
        cases[f"{side} px"] = bench.ours.on(bench.pixels(side))
    for threads in (1, 2):
        graphs = networks.OurGraphs.of(bench.last, threads)
        cases[f"{threads} thread(s)"] = graphs.on(bench.pixels(bench.side_px))
    largest = max(QUICK_BATCHES if bench.quick else BATCHES)
    return Comparison(
        cases,
        {},
        {
            f"batch {largest} / batch 1": (f"batch {largest}", "batch 1"),
            "1 thread / 2 threads": ("1 thread(s)", "2 thread(s)"),
        },
    )


def decoded(outputs: dict[str, np.ndarray], kinds: dict[str, Kind], box: Placement) -> None:
    """All raw outputs of one image, decoded."""
    for task, raw in outputs.items():
        decode(kinds[task], raw, box, 0.05)


def way(bench: Bench) -> Comparison:
    """A 1280 x 960 JPEG's way to the drawn overlay, part by part.

    Once with all its pixels, and once decoded at half its size (JPEG's draft mode), which is still
    more than the network sees.
    """
    content = around.jpeg(around.scene(around.PHOTO_HW))
    engine = OnnxEngine(bench.last, bench.threads)
    model = replace(bench.info.model, input_px=bench.side_px)
    kinds = bench.info.kinds
    cases: dict[str, Case] = {}
    sums: dict[str, list[str]] = {}
    for title, bound_px in (("all pixels", None), ("draft", bench.side_px)):
        image = around.read(content, bound_px)
        pixels, box = prepare(image, model)
        prediction = engine.predict(image)
        values = bench.ours.rest(bench.ours.backbone([ort.OrtValue.ortvalue_from_numpy(pixels)]))
        outputs = {
            task: value.numpy()[0]
            for task, value in zip(bench.ours.rest.outputs, values, strict=True)
        }
        cases |= {
            f"network, {title}": bench.ours.on(pixels),
            f"read, {title}": partial(around.read, content, bound_px),
            f"prepare, {title}": partial(prepare, image, model),
            f"decode, {title}": partial(decoded, outputs, kinds, box),
            f"draw, {title}": partial(around.draw, image, prediction),
        }
        parts = ("read", "prepare", "decode", "draw")
        sums[f"all but the network, {title}"] = [f"{part}, {title}" for part in parts]
    ratios = {name: (name, f"network, {name.split(', ')[1]}") for name in sums}
    return Comparison(cases, sums, {f"{k} / network": v for k, v in ratios.items()})


def beside(bench: Bench) -> Comparison:
    """Our network beside networks of ONNX files: each of them, and the sum of all.

    Ours at its own size against each at the size that it was named with, and all at ours where
    their files take images of that size, too.
    """
    own_px = bench.info.model.input_px
    ours = f"onehead, {own_px} px"
    cases: dict[str, Case] = {ours: bench.ours.on(bench.pixels(own_px))}
    sums: dict[str, list[str]] = {}
    for title in ("usual sizes", f"{own_px} px"):
        parts = []
        for other in bench.others:
            side = other.side_px if title == "usual sizes" else own_px
            case = f"{other.name}, {side} px"
            if case not in cases:
                found = other.case(side, bench.threads)
                if found is None:
                    break
                cases[case] = found
            parts.append(case)
        if len(parts) == len(bench.others):
            sums[f"all beside, {title}"] = parts
    ratios = {f"{ours} / {name}": (ours, name) for name in [*cases, *sums] if name != ours}
    return Comparison(cases, sums, ratios)


COMPARISONS: dict[str, Callable[[Bench], Comparison]] = {
    "engines": engines,
    "specialists": specialists,
    "bank": bank,
    "growth": growth,
    "way": way,
    "beside": beside,
}

"""Many checkpoints, one shared backbone: what each stage of a study says of an image.

The frozen half of the backbone is about half of a pass. Stages and methods that start from the same
frozen weights share it, so the bank runs it once an image and then only the rest of each.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from mtl_core.data.letterbox import Placement
from mtl_core.engine.base import decoded
from mtl_core.engine.preprocess import prepare
from mtl_core.onnx_graphs.processor import available_cores
from mtl_core.onnx_graphs.session import Graph, open_graph
from mtl_core.onnx_graphs.template import template_of
from mtl_core.runs.checkpoint import CheckpointInfo, read_header
from mtl_core.types import InputError, Part, Prediction

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """One checkpoint of a bank.

    Attributes:
        path: its file.
        info: what its header says.
        backbone: number of the backbone that it runs on.
        rest: the graph of all that follows the backbone.
        beside: it runs beside other stages, on one thread; else after them, on all.
    """

    path: Path
    info: CheckpointInfo
    backbone: int
    rest: Graph
    beside: bool


@dataclass(frozen=True)
class Cut:
    """An image as the frozen half of a backbone left it, and what that took."""

    maps: list[ort.OrtValue]
    box: Placement
    cost_ms: dict[str, float]


class StageBank:
    """Predicts with many checkpoints at once; safe to use from several threads.

    Checkpoints whose frozen weights are equal, by their hash, run on one backbone; those that
    differ from all others run as whole networks, and ``note`` says so.

    Stages side by side on one thread each finish sooner than one after another on all cores, for
    the threads of one pass wait for each other after every layer. Those that are left when the
    cores are dealt out evenly (the last of three stages on two cores) run on all of them.

    Args:
        paths: stage checkpoints (.safetensors), in the order of the answers.
        threads: of a pass over all of them; 0 takes all available cores.
        side_by_side: False runs every stage after the other on all threads.
        cache: folder of the graphs, see template_of.

    Attributes:
        stages: one per path.
        shared: whether all stages run on one backbone.
        note: one sentence on what is shared.

    Raises:
        InputError: no path was given, or a file is not a usable checkpoint.
        RuntimeError: a checkpoint's graphs do not compute what PyTorch computes.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        threads: int = 0,
        side_by_side: bool = True,
        cache: Path | None = None,
    ) -> None:
        if not paths:
            raise InputError("A stage bank needs at least one checkpoint, got none.")
        threads = threads or available_cores()
        even = len(paths) - len(paths) % threads if side_by_side and threads > 1 else 0
        self.backbones: list[Graph] = []
        self.stages: list[Stage] = []
        numbers: dict[tuple[str, int, float], int] = {}
        for path in map(Path, paths):
            info = read_header(path)
            template = template_of(path, cache)
            backbone = open_graph(template.backbone, path, threads)
            # The image must come to the backbone in the same size, too.
            alike = (backbone.key, info.model.input_px, info.model.max_enlarge)
            number = numbers.setdefault(alike, len(numbers))
            if number == len(self.backbones):
                self.backbones.append(backbone)
            beside = len(self.stages) < even
            rest = open_graph(template.rest, path, 1 if beside else threads)
            self.stages.append(Stage(path, info, number, rest, beside))
        self.shared = len(self.backbones) == 1
        self.note = self._note()
        (LOG.info if self.shared else LOG.warning)(self.note)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="stage")

    def _note(self) -> str:
        count = len(self.stages)
        if self.shared:
            return f"{count} checkpoint(s) share one frozen backbone."
        users = [
            [s.path for s in self.stages if s.backbone == n] for n in range(len(self.backbones))
        ]
        alone = [str(paths[0]) for paths in users if len(paths) == 1]
        whole = f"; run as whole networks: {', '.join(alone)}" if alone else ""
        return f"{count} checkpoints have {len(users)} different frozen backbones{whole}."

    def predict_all(self, image: np.ndarray, score_threshold: float = 0.05) -> list[Prediction]:
        """Every stage's prediction, in the order of the paths, of the tasks that it was trained.

        Timings in milliseconds: prepare and backbone (with the first stage that uses them), rest,
        decode. A stage that runs beside others takes longer than it would take alone.

        Args:
            image: H x W x 3 uint8 RGB.
            score_threshold: boxes below this score are left out.

        Raises:
            InputError: the array is not an RGB image.
        """
        firsts = {s.backbone: n for n, s in reversed(list(enumerate(self.stages)))}
        cuts = {number: self._cut(image, self.stages[n]) for number, n in firsts.items()}
        tasks = [(stage, cuts[stage.backbone], score_threshold) for stage in self.stages]
        beside = [self._pool.submit(self._finish, *t) for t in tasks if t[0].beside]
        found = [future.result() for future in beside]
        # Those beside are the first ones.
        found += [self._finish(*t) for t in tasks[len(beside) :]]
        for number, n in firsts.items():
            found[n].timings_ms.update(cuts[number].cost_ms)
        return found

    def _cut(self, image: np.ndarray, stage: Stage) -> Cut:
        start = time.perf_counter()
        pixels, box = prepare(image, stage.info.model)
        prepared = time.perf_counter()
        maps = self.backbones[stage.backbone]([ort.OrtValue.ortvalue_from_numpy(pixels)])
        ended = time.perf_counter()
        cost_ms = {"prepare": (prepared - start) * 1e3, "backbone": (ended - prepared) * 1e3}
        return Cut(maps, box, cost_ms)

    def _finish(self, stage: Stage, cut: Cut, score_threshold: float) -> Prediction:
        """One stage's whole answer."""
        start = time.perf_counter()
        raw = stage.rest(cut.maps)
        ran = time.perf_counter()
        parts: dict[str, Part] = {}
        for task, output in zip(stage.rest.outputs, raw, strict=True):
            if task in stage.info.trained:  # the others are noise, and take time to decode
                output = output.numpy()[0]
                parts[task] = decoded(stage.info, task, output, cut.box, score_threshold)
        timings = {
            "rest": (ran - start) * 1e3,
            "decode": (time.perf_counter() - ran) * 1e3,
        }
        return Prediction(cut.box.size_hw, stage.info.class_names, parts, timings)

"""Many checkpoints, one shared backbone: what each stage of a study says of an image.

The frozen half of the backbone is about half of a pass. Stages and methods that start from the same
frozen weights share it, so the bank runs it once an image and then only the rest of each.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime as ort

from mtl_core.data.letterbox import Placement
from mtl_core.decoding import decode
from mtl_core.engine.prediction_cache import PredictionCache, image_sha256
from mtl_core.engine.preprocess import prepare
from mtl_core.onnx_graphs.graph_cache import graphs_of
from mtl_core.onnx_graphs.processor import available_cores
from mtl_core.onnx_graphs.session import Graph, shared_graph
from mtl_core.runs.checkpoint import CheckpointInfo, read_header
from mtl_core.types import InputError, Part, Prediction

LOG = logging.getLogger(__name__)
CACHE_BYTES = 128 * 2**20
USUAL_SCORE = 0.05  # few ask for boxes below it, and there are many of them


@dataclass(frozen=True)
class Stage:
    """One checkpoint of a bank.

    Attributes:
        path: its file.
        info: what its header says.
        key: hash of its content.
        backbone: number of the backbone that it runs on.
        rest: the graph of all that follows the backbone.
        beside: it runs beside other stages, on one thread; else after them, on all.
    """

    path: Path
    info: CheckpointInfo
    key: str
    backbone: int
    rest: Graph
    beside: bool


@dataclass(frozen=True)
class Cut:
    """An image as the frozen half of a backbone left it; its cost goes to the first who uses it."""

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
        cache_bytes: of predictions kept for images that come again; 0 keeps none.
        trained_only: leave out what a stage was never trained: it is noise, and takes time to
        decode. side_by_side: False runs every stage after the other on all threads.
        cache: folder of the graphs, see graph_cache.

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
        cache_bytes: int = CACHE_BYTES,
        trained_only: bool = True,
        side_by_side: bool = True,
        cache: Path | None = None,
    ) -> None:
        if not paths:
            raise InputError("A stage bank needs at least one checkpoint, got none.")
        threads = threads or available_cores()
        even = len(paths) - len(paths) % threads if side_by_side and threads > 1 else 0
        self.backbones: list[Graph] = []
        self.stages: list[Stage] = []
        numbers: dict[tuple, int] = {}
        for path in map(Path, paths):
            info = read_header(path)
            graphs = graphs_of(path, cache)
            # The image must come to the backbone in the same size, too.
            alike = (graphs.keys.backbone, info.model.input_px, info.model.max_enlarge)
            number = numbers.setdefault(alike, len(numbers))
            if number == len(self.backbones):
                self.backbones.append(shared_graph(graphs.keys.backbone, graphs.backbone, threads))
            beside = len(self.stages) < even
            rest = shared_graph(graphs.keys.rest, graphs.rest, 1 if beside else threads)
            self.stages.append(Stage(path, info, graphs.keys.rest, number, rest, beside))
        self.shared = len(self.backbones) == 1
        self.note = self._note()
        (LOG.info if self.shared else LOG.warning)(self.note)
        self.predictions = PredictionCache(cache_bytes)
        self.trained_only = trained_only
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
        """Every stage's prediction, in the order of the paths; see ``predict_each``."""
        return list(self.predict_each(image, score_threshold))

    def predict_each(
        self, image: np.ndarray, score_threshold: float = 0.05
    ) -> Iterator[Prediction]:
        """Every stage's prediction, in the order of the paths, each as soon as it is there.

        Timings in milliseconds: prepare and backbone (with the first stage that uses them), rest,
        decode; or cached alone, where the image was seen before. A stage that runs beside others
        takes longer than it would take alone.

        Args:
            image: H x W x 3 uint8 RGB.
            score_threshold: boxes below this score are left out.

        Raises:
            InputError: the array is not an RGB image.
        """
        start = time.perf_counter()
        # Boxes are kept down to a bound, so that another threshold needs no other pass.
        lowest = USUAL_SCORE if score_threshold >= USUAL_SCORE else 0.0
        # Where nothing is kept, no hash is worth its time.
        image_key = f"{image_sha256(image)} {lowest}" if self.predictions.limit_bytes else ""
        known = [self.predictions.get((image_key, stage.key)) for stage in self.stages]
        looked_up_ms = (time.perf_counter() - start) * 1e3
        cuts: dict[int, Cut] = {}
        running: dict[int, Future[Prediction]] = {}
        for number, stage in enumerate(self.stages):
            if known[number] is None and stage.backbone not in cuts:
                cuts[stage.backbone] = self._cut(image, stage)
        for number, stage in enumerate(self.stages):
            if known[number] is None and stage.beside:
                cut = cuts[stage.backbone]
                running[number] = self._pool.submit(self._finish, stage, cut, lowest)
        try:
            for number, stage in enumerate(self.stages):
                prediction = known[number]
                timings = {"cached": looked_up_ms}
                if prediction is None:
                    cut = cuts[stage.backbone]
                    future = running.get(number)
                    prediction = future.result() if future else self._finish(stage, cut, lowest)
                    self.predictions.put((image_key, stage.key), prediction)
                    timings = cut.cost_ms | prediction.timings_ms
                    cut.cost_ms.clear()
                yield replace(prediction.above(score_threshold), timings_ms=timings)
        finally:
            for future in running.values():
                future.cancel()  # whoever stops listening needs no more answers

    def _cut(self, image: np.ndarray, stage: Stage) -> Cut:
        start = time.perf_counter()
        pixels, box = prepare(image, stage.info.model)
        prepared = time.perf_counter()
        maps = self.backbones[stage.backbone]([ort.OrtValue.ortvalue_from_numpy(pixels)])
        ended = time.perf_counter()
        cost_ms = {"prepare": (prepared - start) * 1e3, "backbone": (ended - prepared) * 1e3}
        return Cut(maps, box, cost_ms)

    def _finish(self, stage: Stage, cut: Cut, lowest_score: float) -> Prediction:
        """One stage's whole answer."""
        start = time.perf_counter()
        raw = stage.rest(cut.maps)
        ran = time.perf_counter()
        parts: dict[str, Part] = {}
        for task, output in zip(stage.rest.outputs, raw, strict=True):
            if task in stage.info.trained or not self.trained_only:
                kind = stage.info.kinds[task]
                parts[task] = decode(kind, output.numpy()[0], cut.box, lowest_score)
        timings = {
            "rest": (ran - start) * 1e3,
            "decode": (time.perf_counter() - ran) * 1e3,
        }
        return Prediction(cut.box.size_hw, stage.info.class_names, parts, timings)

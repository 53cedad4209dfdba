"""Every file of a run, cut short and with a bit flipped: a sentence or what it held, no third."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtl_core.engine.network_file import load_network
from mtl_core.learning.feature_store import FeatureStore
from mtl_core.onnx_graphs import template
from mtl_core.runs.hub import open_run
from mtl_core.runs.predictions import PredictionFile, read_predictions
from mtl_core.runs.records import RECORD_COLUMNS, append_records
from mtl_core.runs.run_directory import Run
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.types import Boxes, InputError, LabelMap, Prediction

NAMES = {"seg": ["background", "disc"], "det": ["disc"]}
IMAGE = np.arange(64, dtype=np.float32).reshape(1, 8, 8)
ROWS = [
    {"stage": 1, "step": s, "epoch": 1, "task": "seg", "metric": "mIoU", "value": s / 7, "n": 6}
    | {"scope": "stage", "per_class": {"disc": s / 9}}
    for s in range(4)
]
BROKEN = {"image": "a", "task": "seg", "before": 1, "after": 2, "loss": 0.25} | {
    "kinds": {"lost box": 1.0},
    "classes": ["disc"],
}


class Item:
    def __init__(self, name: str) -> None:
        self.image = Path(name)


@pytest.fixture
def run_folder(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    """A run with every kind of file that it may hold."""
    run = tmp_path / "run"
    manifest = {"config": {"stages": [{"task": "seg"}, {"task": "det"}]}, "class_names": NAMES}
    write_sealed(run / "run.json", manifest | {"status": "finished"})
    shutil.copyfile(tiny_checkpoint, run / "stage2.safetensors")
    append_records(run / "records.jsonl", ROWS)
    verdict = {"task": "seg", "base": 0.5, "final": 0.4, "verdict": "fail", "drop": None}
    write_sealed(run / "verdicts.json", {"draws": 10, "tasks": [verdict]})
    write_sealed(run / "regressions.json", {"score": 0.25, "rows": [BROKEN]})
    write_sealed(run / "latency.json", {"machine": {"cores": 2}, "engines": {"times": {}}})
    points = [{"input_px": 64, "precision": "float32", "p50_ms": 1.5, "scores": {"mIoU": 0.5}}]
    write_sealed(run / "accuracy_and_time.json", {"machine": {"cores": 2}, "rows": points})
    for task, part in (
        ("seg", LabelMap(np.eye(16, dtype=np.uint8))),
        ("det", Boxes(np.ones((3, 4), np.float32), np.ones(3, np.float32), np.zeros(3, int))),
    ):
        file = PredictionFile(run / "predictions", 2, task)
        for name in ("a.jpg", "b.jpg"):
            file.add(Item(name), Prediction((16, 16), NAMES, {task: part}))
        file.write()
    FeatureStore(run / "maps").put(IMAGE, [IMAGE, IMAGE * 2])
    shipped = min(template.SHIPPED.glob("*.zip"))
    shutil.copyfile(shipped, run / "graphs.zip")
    return run


def stored(run: Path) -> Any:
    found = [read_predictions(run / "predictions", 2, task, NAMES) for task in ("seg", "det")]
    return [
        (task, key, {k: np.asarray(v).tolist() for k, v in vars(part).items()})
        for predictions in found
        for key, prediction in sorted(predictions.items())
        for task, part in prediction.parts.items()
    ]


def weights(run: Path) -> Any:
    network, info = load_network(run / "stage2.safetensors")
    return vars(info), {k: v.numpy().tobytes() for k, v in network.state_dict().items()}


def maps(run: Path) -> Any:
    found = FeatureStore(run / "maps").get(IMAGE)
    return found and [values.tolist() for values in found]


def graphs(run: Path) -> Any:
    found = template._read(run / "graphs.zip")
    return found and (found.backbone, found.rest)


def records(run: Path) -> Any:
    frame = Run(run).records().reindex(columns=[*RECORD_COLUMNS, "per_class"])
    return frame.to_dict("records")


# file, what reads it, whether nothing may stand for what it held (it is then made anew)
CHECKED_AT_OPENING = (
    *("records.jsonl", "verdicts.json", "regressions.json"),
    *("latency.json", "accuracy_and_time.json"),
)
KINDS: dict[str, tuple[str, Callable[[Path], Any], bool]] = {
    "manifest": ("run.json", lambda p: Run(p).manifest, False),
    "records": ("records.jsonl", records, False),
    "verdicts": ("verdicts.json", lambda p: Run(p).verdicts(), False),
    "regressions": ("regressions.json", lambda p: Run(p).regressions(), False),
    "latency": ("latency.json", lambda p: Run(p).latency(), False),
    "scores and times": ("accuracy_and_time.json", lambda p: Run(p).accuracy_and_time(), False),
    "checkpoint": ("stage2.safetensors", weights, False),
    "masks": ("predictions/stage2_seg.npz", stored, False),
    "boxes": ("predictions/stage2_det.npz", stored, False),
    "maps in a cache": ("maps/*", maps, True),
    "graphs in a cache": ("graphs.zip", graphs, True),
}


def damages(content: bytes, count: int) -> list[bytes]:
    """The content cut at some places, and with one bit flipped at others."""
    draw, size = random.Random(0), len(content)
    cuts = [0, 1, size // 3, size // 2, size - 3]
    found = [content[:cut] for cut in cuts]
    # Headers and directories stand at either end.
    places = [*range(12), *range(size - 12, size)]
    places += [draw.randrange(min(size, 3000)) for _ in range(count)]
    places += [draw.randrange(size) for _ in range(count)]
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << draw.randrange(8)
        found.append(bytes(flipped))
    return found


def held(found: Any, before: Any) -> bool:
    """Whether what was read is what was there; a key that lost its name adds a stray entry."""
    if isinstance(before, dict) and isinstance(found, dict):
        return all(key in found and held(found[key], value) for key, value in before.items())
    return bool(found == before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_told_or_does_no_harm(run_folder: Path, kind: str):
    pattern, read, may_be_none = KINDS[kind]
    (path,) = run_folder.glob(pattern)
    content, before = path.read_bytes(), read(run_folder)
    assert before
    told = 0
    for damaged in damages(content, 6 if kind == "checkpoint" else 40):
        path.write_bytes(damaged)
        try:
            found = read(run_folder)
        except InputError as error:
            told += 1
            sentence = str(error)
            assert path.name in sentence and "\n" not in sentence and sentence.endswith(".")
            continue
        if may_be_none and found is None:
            told += 1
        elif kind == "records" and found == before[: len(found)]:
            # What stood last was being written: passed over with a warning, and nothing else.
            assert len(found) >= damaged.count(b"\n")
        else:
            assert held(found, before)
    assert told > 10


def test_a_run_with_a_damaged_file_is_not_opened(run_folder: Path):
    assert open_run(run_folder).manifest["status"] == "finished"
    for name in ("run.json", *CHECKED_AT_OPENING):
        path = run_folder / name
        content = path.read_bytes()
        path.write_bytes(content.replace(b"0", b"8", 1) if b"0" in content else content[1:])
        with pytest.raises(InputError, match=f"{name}.*"):
            open_run(run_folder)
        path.write_bytes(content)

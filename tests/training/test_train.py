"""The command that trains: what it writes, how it goes on, and what it refuses."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from mtl_core.config import RunConfig
from mtl_core.engine.network_file import load_network, read_info
from mtl_core.learning.run_progress import RunProgress
from mtl_core.presets import tiny
from mtl_core.retention import StageContext
from mtl_core.retention.distill import Distill
from mtl_core.runs.checkpoint import read_weights, weights_digest
from mtl_core.runs.run_directory import Run
from mtl_core.tasks.data_roots import DataRoots
from mtl_core.types import InputError
from training.train import Options, main, run_config, trainer_of

Make = Callable[..., Options]
TASKS = ["seg", "det", "cls"]


class Stopped(Exception):
    """Someone pulled the plug."""


def test_all_files_of_a_run_are_written(whole_run: Path):
    run = Run(whole_run)
    assert [stage.task for stage in run.stages] == TASKS
    for stage in run.stages:
        _, info = load_network(stage.weights)
        assert (info.stage, info.trained) == (stage.number, TASKS[: stage.number])
        assert stage.weights.stat().st_size < 10 * 2**20
    assert RunConfig.from_dict(run.manifest["config"]) == tiny()
    assert run.manifest["initial_weights"]["origin"] == "random"
    fingerprints = run.manifest["data_fingerprint"]
    assert {t: fingerprints[t]["train"]["n"] for t in fingerprints} == dict.fromkeys(TASKS, 16)
    assert {"versions", "hardware", "seed", "wall_time_s", "parameters"} <= set(run.manifest)
    assert not list(whole_run.rglob("*.part*"))


def test_every_stage_records_all_that_was_trained_so_far(whole_run: Path):
    frame = Run(whole_run).records()
    final = frame[frame["scope"] == "stage"]
    found = {n: list(rows["metric"]) for n, rows in final.groupby("stage")}
    assert found == {
        1: ["mIoU"],
        2: ["mIoU", "mAP", "mAP50"],
        3: ["mIoU", "mAP", "mAP50", "top1"],
    }
    assert (final["n"] == 6).all() and (frame[frame["scope"] == "subset"]["n"] == 4).all()
    assert frame["value"].between(0, 1).all()


@pytest.mark.parametrize(
    ("task", "part", "columns"), [("seg", "mask", None), ("det", "boxes", 6), ("cls", None, None)]
)
def test_raw_predictions_are_kept(whole_run: Path, task: str, part: str | None, columns):
    with np.load(whole_run / "predictions" / f"stage3_{task}.npz", allow_pickle=False) as file:
        assert len(file.files) == 6
        assert {name.rsplit("/", 1)[1] for name in file.files} == {part or "probabilities"}
        if columns:
            assert {file[name].shape[1] for name in file.files} == {columns}


@pytest.mark.parametrize(("number", "task"), [(2, "det"), (3, "cls")])
def test_a_later_stage_teaches_its_own_slice(whole_run: Path, number: int, task: str):
    before, after = (load_file(whole_run / f"stage{n}.safetensors") for n in (number - 1, number))
    own = [name for name in before if task in name.split(".")]
    assert own
    assert [name for name in own if (before[name] == after[name]).all()] == []


# Saves of a run: its start, then for each stage its first epoch and its end.
STOPS = [
    ("in the first stage, after saving", 2, True),
    ("between two stages", 3, True),
    ("in the second stage, recorded but not saved", 4, False),
]


@pytest.mark.parametrize(("save", "saved"), [s[1:] for s in STOPS], ids=[s[0] for s in STOPS])
def test_a_resumed_run_equals_an_uninterrupted_one(
    whole_run: Path,
    options: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: int,
    saved: bool,
):
    calls = 0
    original = RunProgress.save

    def stopping(self: RunProgress, *arguments) -> None:
        nonlocal calls
        calls += 1
        if calls < save or (calls == save and saved):
            original(self, *arguments)
        if calls == save:
            raise Stopped

    out = tmp_path / "run"
    monkeypatch.setattr(RunProgress, "save", stopping)
    with pytest.raises(Stopped):
        main(options(out))
    monkeypatch.setattr(RunProgress, "save", original)
    main(options(out, resume=True))
    assert (out / "records.jsonl").read_text() == (whole_run / "records.jsonl").read_text()
    for number in (1, 2, 3):
        name = f"stage{number}.safetensors"
        found, expected = load_file(out / name), load_file(whole_run / name)
        assert [k for k in expected if not (found[k] == expected[k]).all()] == [], name


def test_a_single_task_is_a_reference(options: Make, tmp_path: Path):
    main(options(tmp_path / "det", tasks=("det",), epochs=(1,)))
    run = Run(tmp_path / "det")
    assert [(s.number, s.task) for s in run.stages] == [(1, "det")]
    assert list(read_info(run.stages[0].weights).class_names) == ["det"]
    assert set(run.records()["metric"]) == {"mAP", "mAP50"}
    assert run.manifest["config"]["stages"][0]["distill"] == {}


def test_a_directory_with_content_is_refused(options: Make, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        main(options(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_without_its_state_is_not_begun_again(whole_run: Path, options: Make, tmp_path: Path):
    shutil.copytree(whole_run, tmp_path / "run", ignore=shutil.ignore_patterns("state"))
    with pytest.raises(InputError, match="state"):
        main(options(tmp_path / "run", resume=True))
    records = "records.jsonl"
    assert (tmp_path / "run" / records).read_text() == (whole_run / records).read_text()


def test_another_config_cannot_resume(whole_run: Path, options: Make, tmp_path: Path):
    shutil.copytree(whole_run, tmp_path / "run")
    with pytest.raises(InputError, match="begun with another seed"):
        main(options(tmp_path / "run", resume=True, seed=1))


def test_an_image_in_train_and_val_is_refused(rendered: DataRoots, options: Make, tmp_path: Path):
    shutil.copytree(rendered["seg"].parent, tmp_path / "data")
    folder = next((tmp_path / "data" / "imagenette_160" / "val").iterdir())
    image = next(folder.iterdir())
    target = tmp_path / "data" / "imagenette_160" / "train" / folder.name / "renamed.JPEG"
    shutil.copy(image, target)
    with pytest.raises(InputError, match=r"renamed\.JPEG.*are the same image"):
        main(options(tmp_path / "run", data=tmp_path / "data"))


REFUSED = [
    ({"method": "hope"}, "method is 'hope'"),
    ({"tasks": ("seg", "depth")}, "--tasks depth"),
    ({"epochs": (1, 2)}, "--epochs has 2 numbers, expected 3"),
    ({"preset": "huge"}, "Preset 'huge' is unknown"),
    ({"tasks": ("det", "seg")}, "in the stage of seg .* does not distil det"),
    ({"tasks": ("seg", "cls", "det")}, "in the stage of det .* does not distil cls"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_bad_options_are_told(options: Make, tmp_path: Path, changes: dict, words: str):
    with pytest.raises(InputError, match=words):
        run_config(options(tmp_path, **changes))


def test_images_are_normalised_as_the_weights_ask(
    options: Make, backbone_file: Path, tmp_path: Path
):
    other = tmp_path / "other.safetensors"
    statistics = {"input_mean": "0.485,0.456,0.406", "input_std": "0.229,0.224,0.225"}
    save_file(load_file(backbone_file), other, statistics)
    given = options(tmp_path / "run", init=str(other))
    trainer = trainer_of(given, run_config(given))
    assert trainer.config.model.mean == (0.485, 0.456, 0.406)
    assert trainer.network.config.std == (0.229, 0.224, 0.225)
    save_file(load_file(backbone_file), other, {"input_mean": "grey"})
    with pytest.raises(InputError, match="expected three numbers"):
        trainer_of(given, run_config(given))


def test_a_run_resumed_on_other_images_says_so(
    whole_run: Path, options: Make, tmp_path: Path, capsys: pytest.CaptureFixture
):
    shutil.copytree(whole_run, tmp_path / "run")
    main(options(tmp_path / "run", resume=True, train_split="train:fit"))
    assert "scores from before and after do not compare" in capsys.readouterr().out
    changes = Run(tmp_path / "run").manifest["data_changes"]
    assert {(c["task"], c["split"]) for c in changes} == {(t, "train") for t in TASKS}


def test_other_weights_cannot_resume(whole_run: Path, options: Make, tmp_path: Path):
    shutil.copytree(whole_run, tmp_path / "run")
    other = tmp_path / "other.safetensors"
    save_file(
        load_file(options(tmp_path).init),
        other,
        {"input_mean": "0.5,0.5,0.5", "origin": "elsewhere"},
    )
    with pytest.raises(InputError, match="other backbone weights"):
        main(options(tmp_path / "run", resume=True, init=str(other)))


def test_images_held_out_may_lie_elsewhere(rendered: DataRoots, options: Make, tmp_path: Path):
    shutil.copytree(rendered["seg"].parent, tmp_path / "more")
    first = min((tmp_path / "more" / "mini_voc_seg" / "val").glob("*.jpg"))
    first.with_suffix(".png").unlink()
    first.unlink()
    changed = options(tmp_path / "run", eval_data=tmp_path / "more")
    held_out = trainer_of(changed, run_config(changed)).data.evaluation
    assert len(held_out["seg"]) == 5 and len(held_out["cls"]) == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "progressive"}, "progressive has a first stage of its own"),
        ({"seed": 1}, "differs in the run's settings"),
        ({"train_split": "train:fit"}, "differs in the images"),
        ({"epochs": (1, 2, 2)}, "differs in the first stage's settings"),
    ],
)
def test_a_first_stage_is_taken_only_where_it_is_the_same(
    whole_run: Path, options: Make, tmp_path: Path, changes: dict, words: str
):
    with pytest.raises(InputError, match=words):
        main(options(tmp_path / "run", start=whole_run, **changes))


def test_a_first_stage_is_taken_from_a_run_that_was_published_without_its_state(
    whole_run: Path, options: Make, tmp_path: Path
):
    published = tmp_path / "published"
    shutil.copytree(whole_run, published, ignore=shutil.ignore_patterns("state"))
    main(options(tmp_path / "run", start=published, method="lwf"))
    theirs, ours = (load_file(run / "stage1.safetensors") for run in (whole_run, tmp_path / "run"))
    assert all((theirs[name] == ours[name]).all() for name in theirs)
    assert (tmp_path / "run" / "stage3.safetensors").is_file()


def test_a_second_stage_is_trained_further_and_held_to_the_first(
    whole_run: Path, options: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    still = {f"stages.det.{name}": 0.0 for name in ("lr_shared", "lr_old", "lr_backbone")}
    changes = still | {"stages.det.lr": 1e-12, "model.frozen_blocks": 4}
    held_to = []
    original = Distill.before_stage

    def watched(self: Distill, context: StageContext) -> None:
        original(self, context)
        held_to.append(copy.deepcopy(self.teacher))

    monkeypatch.setattr(Distill, "before_stage", watched)
    main(options(tmp_path / "run", start=whole_run, further=True, changes=changes))
    theirs, ours = (load_file(run / "stage2.safetensors") for run in (whole_run, tmp_path / "run"))
    assert [name for name in theirs if not (theirs[name] == ours[name]).all()] == []
    first = load_network(whole_run / "stage1.safetensors")[0].state_dict()
    teacher = held_to[0].state_dict()
    assert [k for k, v in teacher.items() if not v.half().equal(first[k].half())] == []
    run = Run(tmp_path / "run")
    assert {read_info(stage.weights).model.frozen_blocks for stage in run.stages} == {4}
    before = run.manifest["trained_before"]
    assert [before[stage]["frozen_blocks"] for stage in "12"] == [8, 8]
    assert before["2"]["weights_sha256"] == weights_digest(
        read_weights(whole_run / "stage2.safetensors")
    )


def test_a_stage_trained_further_resumes_from_what_it_began_with(
    whole_run: Path, options: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given = {"start": whole_run, "further": True}
    main(options(tmp_path / "whole", **given))
    original = RunProgress.go_further

    def stopping(self: RunProgress, number: int) -> None:
        raise Stopped

    monkeypatch.setattr(RunProgress, "go_further", stopping)
    with pytest.raises(Stopped):
        main(options(tmp_path / "run", **given))
    monkeypatch.setattr(RunProgress, "go_further", original)
    main(options(tmp_path / "run", resume=True))
    runs = (tmp_path / name / "stage3.safetensors" for name in ("whole", "run"))
    whole, resumed = map(load_file, runs)
    assert [name for name in whole if not (whole[name] == resumed[name]).all()] == []
    manifest = Run(tmp_path / "run").manifest
    assert manifest["trained_before"] == Run(tmp_path / "whole").manifest["trained_before"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"further": True}, "--further needs --start"),
        (
            {"further": True, "method": "lwf", "tasks": ("seg", "cls", "det")},
            "taught det in its second stage",
        ),
        ({"changes": {"model.frozen_blocks": 12}}, "froze 8 blocks, this run would freeze more"),
    ],
)
def test_what_cannot_be_trained_further_is_told(
    whole_run: Path, options: Make, tmp_path: Path, changes: dict, words: str
):
    start = None if changes == {"further": True} else whole_run
    with pytest.raises(InputError, match=words):
        main(options(tmp_path / "run", start=start, **changes))


@pytest.mark.parametrize("method", ["ewc", "replay", "progressive", "joint"])
def test_every_method_resumes_to_the_same_result(
    options: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
):
    calls, original = 0, RunProgress.save
    stop = 2 if method == "joint" else 4  # inside the only stage, or inside the second one

    def stopping(self: RunProgress, *arguments) -> None:
        nonlocal calls
        calls += 1
        original(self, *arguments)
        if calls == stop:
            raise Stopped

    main(options(tmp_path / "whole", method=method))
    monkeypatch.setattr(RunProgress, "save", stopping)
    with pytest.raises(Stopped):
        main(options(tmp_path / "run", method=method))
    monkeypatch.setattr(RunProgress, "save", original)
    main(options(tmp_path / "run", method=method, resume=True))
    for path in sorted((tmp_path / "whole").glob("stage*.safetensors")):
        found, expected = load_file(tmp_path / "run" / path.name), load_file(path)
        assert [k for k in expected if not (found[k] == expected[k]).all()] == [], path.name


def test_a_run_resumed_elsewhere_names_every_stage_s_machine(
    options: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = {"machine": "other", "device": "cuda, a card", "cores": 16, "threads": 2}
    monkeypatch.setattr("mtl_core.learning.run_progress.hardware", lambda network: elsewhere)
    original = RunProgress.end_stage

    def stopping(self: RunProgress, number: int) -> None:
        original(self, number)
        raise Stopped

    monkeypatch.setattr(RunProgress, "end_stage", stopping)
    with pytest.raises(Stopped):
        main(options(tmp_path / "run"))
    monkeypatch.undo()
    main(options(tmp_path / "run", resume=True))
    manifest = Run(tmp_path / "run").manifest
    machines = manifest["stage_hardware"]
    assert machines["1"] == elsewhere and machines["2"] == machines["3"] == manifest["hardware"]


def test_a_manifest_is_plain_json(whole_run: Path):
    text = (whole_run / "run.json").read_text()
    assert "NaN" not in text and json.loads(text)["class_names"].keys() == set(TASKS)

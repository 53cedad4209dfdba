"""A study: what it trains, what its runs share, and what its report says."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from mtl_core.analysis.across_seeds import Kept
from mtl_core.learning.state_files import LAST, PREVIOUS, last_state, start_of
from mtl_core.metrics.bootstrap import Interval
from mtl_core.presets import preset
from mtl_core.runs.run_directory import Run
from mtl_core.tasks.data_roots import DataRoots
from mtl_core.types import InputError
from training.compare import Options, main, planned, stage_changes
from training.study.ablation import PARTS, parts_of, without
from training.study.figures import axis_range, drops_figure, plane
from training.study.judged import JudgedStudy
from training.study.progress import estimates_s, left, lighten, resumable
from training.study.runs import Cell, StudyRuns, by_method, check_comparable, references
from training.study.strengths import chosen
from training.study.strengths import sentences as strength_sentences
from training.study.tables import ablation_table, sentences, verdict


@pytest.fixture(scope="module")
def study(
    rendered: DataRoots, backbone_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("study")
    table = {"preset": "tiny", "methods": {"joint": {"strength": 2.0, "rate": 0.5}}}
    (folder / "strengths.json").write_text(json.dumps(table))
    strengths = folder / "strengths.json"
    main(options(folder / "study", rendered, backbone_file, strengths=strengths))
    return folder / "study"


def options(out: Path, rendered: DataRoots, backbone_file: Path, **changes: object) -> Options:
    plain = {
        "methods": ("finetune", "distill", "progressive", "joint", "single"),
        "preset": "tiny",
        "init": backbone_file,
        "workers": 0,
        "threads": 1,
        "subset_steps": 2,
    }
    return Options(data=rendered["seg"].parent, out=out, **{**plain, **changes})


def test_names_say_what_a_run_is():
    for cell in (
        Cell("distill", 1.0, 0),
        Cell("ewc", 0.3, 2),
        Cell("replay", 3.0, 11),
        Cell("single", 1.0, 0, "det"),
        Cell("distill", 1.0, 1, without="neck"),
        Cell("joint", 2.0, 1, rate=0.5),
        Cell("joint", 1.0, 1, rate=1e-05),
    ):
        assert Cell.of(cell.name) == cell
    assert Cell("ewc", 0.3, 2).name == "ewc-x0.3-seed2" and Cell("ewc", 0.3, 2).label == "ewc-x0.3"
    assert Cell("distill", 1.0, 1, without="neck").name == "distill-without-neck-seed1"
    assert Cell.of("notes") is None


def test_the_plan_has_every_method_seed_and_strength(rendered: DataRoots, tmp_path: Path):
    plan = planned(
        options(
            tmp_path,
            rendered,
            tmp_path,
            methods=("all",),
            seeds=(0, 1),
            sweep=(0.3, 1.0),
            preset="tuned",
        )
    )
    names = [cell.name for cell in plan]
    assert names[0] == "distill-seed0" and len(names) == len(set(names))
    assert {"ewc-x0.3-seed1", "ewc-seed1", "finetune-seed0", "single-cls-seed1"} <= set(names)
    assert not [n for n in names if n.startswith(("finetune-x", "progressive-x"))]
    assert {"joint-x0.3-seed0", "joint-seed0"} <= set(names)


def test_a_table_of_strengths_is_what_the_methods_are_trained_with(
    rendered: DataRoots, tmp_path: Path
):
    found = {"ewc": {"strength": 10, "rate": 1}, "joint": {"strength": 2, "rate": 0.5}}
    table = tmp_path / "strengths.json"
    table.write_text(json.dumps({"preset": "tiny", "methods": found}))
    whole = {"methods": ("all",), "strengths": table}
    names = [c.name for c in planned(options(tmp_path, rendered, tmp_path, **whole))]
    assert {"ewc-x10-seed0", "joint-x2-r0.5-seed0", "distill-seed0"} <= set(names)
    grid = {"methods": ("joint", "lwf"), "sweep": (1, 2), "sweep_rates": (0.5, 1)}
    names = [c.name for c in planned(options(tmp_path, rendered, tmp_path, **grid))]
    assert len(names) == 6 and {"joint-x2-r0.5-seed0", "lwf-x2-seed0"} <= set(names)
    for changes, words in (
        ({"strengths": table, "sweep": (1.0,)}, "without --sweep"),
        ({"strengths": table, "preset": "tuned"}, "chosen with preset tiny"),
        ({"strengths": tmp_path / "none.json"}, "expected the strengths.json"),
    ):
        with pytest.raises(InputError, match=words):
            planned(options(tmp_path, rendered, tmp_path, **changes))


def test_the_best_strength_is_named_and_where_more_should_be_tried():
    finals = {("ewc", 1.0): 0.2, ("ewc", 10.0): 0.4, ("ewc", 100.0): 0.45, ("lwf", 0.3): 0.1}
    finals |= {("lwf", 1.0): 0.3, ("lwf", 3.0): 0.2, ("distill", 1.0): 0.5}
    rows = [
        {"family": family, "method": f"{family}-x{strength:g}", "strength": strength, "rate": 1.0}
        | {"without": "", "seed": seed, "task": task, "base": 0.5, "final": final + 0.01 * seed}
        for (family, strength), final in finals.items()
        for task in ("seg", "det")
        for seed in (0, 1)
    ]
    found = chosen(pd.DataFrame(rows))
    assert {family: row["strength"] for family, row in found.items()} == {"ewc": 100, "lwf": 1}
    assert found["ewc"]["at_an_end_of"] == ["strength"] and found["lwf"]["at_an_end_of"] == []
    assert found["lwf"]["seeds"] == 2
    said = strength_sentences(found)
    assert "mean of the final scores, 2 seeds)" in said[0]
    assert "ewc: best at strength 100, an end of the range of its strength: try beyond" in said[0]
    assert "try beyond" not in said[1]


def test_the_smallest_score_does_not_decide_alone():
    finals = {(1.0, "seg"): 0.50, (1.0, "det"): 0.02, (0.1, "seg"): 0.40, (0.1, "det"): 0.04}
    rows = [
        {"family": "ewc", "method": f"ewc-x{strength:g}", "strength": strength, "rate": 1.0}
        | {"without": "", "seed": 0, "task": task, "base": 0.5, "final": final}
        for (strength, task), final in finals.items()
    ]
    assert chosen(pd.DataFrame(rows))["ewc"]["strength"] == 1.0


def test_strengths_are_compared_over_the_seeds_that_all_of_them_have():
    finals = {(1.0, 0): 0.2, (1.0, 1): 0.9, (3.0, 0): 0.3}
    rows = [
        {"family": "ewc", "method": f"ewc-x{strength:g}", "strength": strength, "rate": 1.0}
        | {"without": "", "seed": seed, "task": "seg", "base": 0.5, "final": final}
        for (strength, seed), final in finals.items()
    ]
    found = chosen(pd.DataFrame(rows))["ewc"]
    assert (found["strength"], found["seeds"]) == (3.0, 1)
    assert "scores, one seed)" in strength_sentences({"ewc": found})[0]
    rows[2]["seed"] = 2
    assert chosen(pd.DataFrame(rows)) == {}


def test_a_sweep_says_which_preset_and_images_it_was_made_with(
    study: Path, rendered: DataRoots, backbone_file: Path, tmp_path: Path
):
    (tmp_path / "ewc-seed0").symlink_to(study / "distill-seed0")
    (tmp_path / "ewc-x3-seed0").symlink_to(study / "finetune-seed0")
    main(options(tmp_path, rendered, backbone_file, report_only=True, preset="tuned"))
    written = json.loads((tmp_path / "strengths.json").read_text())
    assert (written["preset"], written["split"]) == ("tiny", "val")


def test_a_method_passes_where_every_seed_reaches_the_floor():
    rows = [
        {"method": "a", "task": "seg", "reached": reached, "floor": 0.3} for reached in (0.2, 0.9)
    ]
    judged = SimpleNamespace(drops={"a": {"seg": Interval(0.0, -0.01, 0.01)}})
    assert verdict(judged, pd.DataFrame(rows), "a") == "fail"
    assert verdict(judged, pd.DataFrame(rows[1:]), "a") == "pass"


def test_finished_runs_can_be_lightened_and_still_be_reported(
    study: Path, rendered: DataRoots, backbone_file: Path, tmp_path: Path
):
    for name in ("distill-seed0", "finetune-seed0"):
        shutil.copytree(study / name, tmp_path / name)
    runs = StudyRuns(tmp_path)
    waiting = [Cell("ewc", 1.0, 0), Cell("ewc", 1.0, 1)]
    both = [Cell(method, 1.0, 0) for method in ("distill", "finetune")]
    lighten(runs, both[1:], [])
    assert (runs.folder(both[0]) / "state").is_dir()  # of no concern to who trains other runs
    lighten(runs, both, waiting)
    kept = [runs.folder(Cell(m, 1.0, 0)) / "state" / start_of(2) for m in ("distill", "finetune")]
    assert [path.is_file() for path in kept] == [True, False]
    times = estimates_s(runs, waiting)
    assert times[0] is not None and times[1] is not None and times[1] > times[0] > 0
    assert left(times).count("about") == 2 and left([None]) == "no estimate yet"
    lighten(runs, both, [])
    assert not list(tmp_path.glob("*/state")) and not list(tmp_path.glob("*/*.safetensors"))
    main(options(tmp_path, rendered, backbone_file, report_only=True))
    assert "| finetune |" in (tmp_path / "report.md").read_text()
    assert runs.finished(Cell("finetune", 1.0, 0))


def test_a_run_that_was_stopped_before_its_first_state_begins_anew(study: Path, tmp_path: Path):
    runs, cell = StudyRuns(tmp_path), Cell("finetune", 1.0, 0)
    out = runs.folder(cell)
    assert not resumable(runs, cell)
    out.mkdir()
    shutil.copy(study / "distill-seed0" / "stage1.safetensors", out)
    assert not resumable(runs, cell) and not out.exists()
    shutil.copytree(study / "finetune-seed0", out)
    assert resumable(runs, cell)
    state = out / "state" / LAST
    state.rename(state.with_name(LAST + PREVIOUS))  # ended between two moves
    assert resumable(runs, cell)
    with pytest.warns(UserWarning, match="state before it is taken"):
        assert last_state(out, torch.device("cpu"))["number"] == 4
    shutil.rmtree(out / "state")
    with pytest.raises(InputError, match="no state to go on with"):
        resumable(runs, cell)


def test_an_ablation_leaves_out_one_part_a_run(rendered: DataRoots, tmp_path: Path):
    changes = {"methods": ("ewc",), "seeds": (3, 4), "ablate": True, "preset": "tuned"}
    plan = planned(options(tmp_path, rendered, tmp_path, **changes))
    assert plan[0].name == "distill-seed3"
    left_out = {cell.without for cell in plan} - {None}
    assert left_out == set(PARTS) and all(cell.seed == 3 for cell in plan if cell.without)
    whole = preset("tuned")
    for part in PARTS:
        less = without(whole, part)
        assert less.stages[0] == whole.stages[0] and less.stages[1:] != whole.stages[1:]
    assert without(whole, "neck").stages[2].distill_neck == 0
    assert without(whole, "masks").stages[1].distill == {}
    with pytest.raises(InputError, match="--without hope: expected one of"):
        without(whole, "hope")
    with pytest.raises(InputError, match="preset report has no such part"):
        without(preset("report"), "neck")
    with pytest.raises(InputError, match="method ewc has no such part"):
        without(replace(whole, method="ewc"), "masks")
    assert parts_of(preset("report")) == ["masks", "boxes"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ("hope",)}, "--methods hope"),
        ({"epochs": (3,)}, "--epochs has 1 numbers, expected 3"),
    ],
)
def test_bad_plans_are_told(rendered: DataRoots, tmp_path: Path, changes: dict, words: str):
    with pytest.raises(InputError, match=words):
        planned(options(tmp_path, rendered, tmp_path, **changes))


def test_methods_start_from_the_same_first_stage(study: Path):
    first = load_file(study / "distill-seed0" / "stage1.safetensors")
    other = load_file(study / "finetune-seed0" / "stage1.safetensors")
    own = load_file(study / "progressive-seed0" / "stage1.safetensors")
    assert all((first[k] == other[k]).all() for k in first)
    assert any((first[k] != own[k]).any() for k in first)
    runs = [Run(study / f"{name}-seed0") for name in ("distill", "finetune")]
    assert runs[0].manifest["stage_seconds"]["1"] == runs[1].manifest["stage_seconds"]["1"]
    rows = [run.records() for run in runs]
    assert rows[0][rows[0]["stage"] == 1].equals(rows[1][rows[1]["stage"] == 1])


def test_all_at_once_is_one_checkpoint_with_all_tasks(study: Path):
    run = Run(study / "joint-x2-r0.5-seed0")
    assert [stage.number for stage in run.stages] == [3]
    whole = run.records().query("scope == 'stage'")
    assert set(whole["metric"]) == {"mIoU", "mAP", "mAP50", "top1"} and set(whole["stage"]) == {3}
    trained = run.manifest["stages_as_trained"]
    assert [stage["task"] for stage in trained] == ["seg", "det", "cls"]
    assert len({(stage["lr"], stage["lr_backbone"], stage["lr_shared"]) for stage in trained}) == 1
    recipe = preset("tiny").stages
    assert [stage["epochs"] for stage in trained] == [2 * stage.epochs for stage in recipe]
    assert trained[0]["lr"] == recipe[0].lr / 2
    assert set(whole["epoch"]) == {2 * max(stage.epochs for stage in recipe)}


def test_factors_of_joint_are_of_the_epochs_that_the_study_has(tmp_path: Path):
    asked = Options(tmp_path, tmp_path, preset="tiny", tasks=("cls", "seg"), epochs=(4, 1))
    found = stage_changes(asked, Cell("joint", 2.0, 0, rate=0.5))
    assert [found[f"stages.{task}"]["epochs"] for task in ("cls", "seg")] == [8, 2]
    assert found["stages.seg"]["lr"] == preset("tiny").stages[0].lr / 2
    alone = stage_changes(asked, Cell("single", 1.0, 0, "seg"))
    assert alone == {"stages.cls.epochs": 4, "stages.seg.epochs": 1}


def test_columns_lose_nothing_at_all(study: Path):
    frame = pd.read_csv(study / "results.csv").query("method == 'progressive'")
    frame = frame[frame["drop"].notna()]
    # Detection learns nothing here, and nothing cannot be lost; masks are learned a little.
    assert "seg" in set(frame["task"]) and frame["base"].min() > 0
    assert (frame[["drop", "drop_low", "drop_high"]] == 0).all(axis=None)


def test_subsets_begin_with_the_stage(study: Path):
    records = Run(study / "distill-seed0").records().query("scope == 'subset' and stage == 2")
    assert sorted(set(records["step"])) == [0, 2]
    assert set(records.query("step == 0")["task"]) == {"seg"}


def test_runs_that_saw_images_in_other_sizes_are_not_compared(study: Path):
    one, other = (Run(study / name) for name in ("distill-seed0", "finetune-seed0"))
    check_comparable(one, other)
    other.manifest["evaluated_input_px"] = 96
    with pytest.raises(InputError, match="measured at 128 px"):
        check_comparable(one, other)


def test_runs_of_another_recipe_or_other_constants_are_not_compared(study: Path):
    one, other = (Run(study / name) for name in ("distill-seed0", "finetune-seed0"))
    other.manifest["config"]["stages"][1]["epochs"] += 1
    with pytest.raises(InputError, match="differ in epochs of det: expected one study"):
        check_comparable(one, other)
    other.manifest["config"]["stages"][1]["epochs"] -= 1
    other.manifest["config"]["stages"][1]["lr_backbone"] += 1  # a part that may be left out
    check_comparable(one, other)
    other.manifest["config"]["model"]["head_channels"] += 1
    with pytest.raises(InputError, match="differ in model: expected one study"):
        check_comparable(one, other)
    one, other = (Run(study / "distill-seed0") for _ in range(2))
    one.manifest["method_constants"] = {"penalty": 1}
    other.manifest["method_constants"] = {"penalty": 2}
    with pytest.raises(InputError, match="other numbers of distill"):
        check_comparable(one, other)


def test_without_references_the_report_says_how_to_get_its_plane(
    study: Path, rendered: DataRoots, backbone_file: Path, tmp_path: Path
):
    title = "What the old kept, what the new reached"
    page = (study / "report.html").read_text()
    assert title in page and "--methods single" not in page
    for name in ("distill-seed0", "finetune-seed0"):
        (tmp_path / name).symlink_to(study / name)
    main(options(tmp_path, rendered, backbone_file, report_only=True))
    page = (tmp_path / "report.html").read_text()
    assert title not in page and "--methods single" in page


def test_a_report_alone_leaves_the_maps_to_those_who_train(
    study: Path, rendered: DataRoots, backbone_file: Path
):
    (study / "maps").mkdir()
    main(options(study, rendered, backbone_file, report_only=True))
    assert (study / "maps").is_dir()
    (study / "maps").rmdir()


def test_the_report_names_every_method(study: Path):
    page = (study / "report.html").read_text()
    text = (study / "report.md").read_text()
    for name in ("finetune", "distill", "progressive", "joint-x2-r0.5"):
        assert f"<td>{name}</td>" in page and f"| {name} |" in text
    assert "plotly" in page and "<script src=" not in page
    frame = pd.read_csv(study / "results.csv")
    assert set(references(frame)) == {"seg", "det", "cls"}
    table = by_method(frame, references(frame)).set_index("method")
    assert math.isnan(table.loc["joint-x2-r0.5", "drop seg"])
    assert (table["seeds"] == 1).all()


def test_the_report_judges_by_all_seeds_and_fits_a_page(
    study: Path, rendered: DataRoots, tmp_path: Path
):
    for name in ("distill", "finetune", "joint-x2-r0.5"):
        (tmp_path / f"{name}-seed0").symlink_to(study / f"{name}-seed0")
    shutil.copytree(study / "distill-seed0", tmp_path / "distill-seed1")
    shutil.copytree(study / "finetune-seed0", tmp_path / "finetune-seed1")
    masks = tmp_path / "finetune-seed1" / "predictions" / "stage3_seg.npz"
    with np.load(masks) as file:  # this seed forgot all
        np.savez_compressed(masks, **{name: np.full_like(file[name], 2) for name in file.files})
    both = JudgedStudy(StudyRuns(tmp_path), rendered["seg"].parent, "val")
    apart = [scores["seg"].drop[0] for scores in both.methods["finetune"].values()]
    found = both.drops["finetune"]["seg"]
    assert apart[0] < 0.2 < 0.5 < apart[1] and found.value == pytest.approx(sum(apart) / 2)
    assert found.high - found.low > 0.5  # two seeds so far apart say little
    assert both.why_undefined("joint-x2-r0.5", "seg") == "nothing came later"
    pairs = {(pair.one, pair.other): pair for pair in both.pairs}
    assert len(pairs) == 1 and next(iter(pairs.values())).seeds == 2
    text = (study / "report.md").read_text()
    head = next(line for line in text.splitlines() if line.startswith("| method"))
    assert head.count("|") <= 10
    assert "over images alone, since there is one seed" in text
    assert "nothing came later" in text and "| distill keeps" not in text
    written = json.loads((study / "comparisons.json").read_text())
    assert written["methods"]["joint-x2-r0.5"]["mean_drop"] is None
    assert set(written["methods"]["distill"]["of_alone"]) == {"seg", "det", "cls"}


def test_what_is_decided_is_a_sentence():
    def pair(one: str, low: float) -> Kept:
        found = Interval(0.1, low, 0.2)
        return Kept(one, "b", 3, {"seg": found}, found)

    judged = SimpleNamespace(pairs=[pair("a", 0.05), pair("c", -0.05)])
    assert sentences(judged) == [
        "a keeps more than b: +10.0 (+5.0 to +20.0) points of drop less, a mean of seg +10.0 (+5.0 "
        "to +20.0); 3 seeds.",
        "Undecided: c and b.",
    ]


def test_one_wild_interval_does_not_flatten_the_figure():
    drops = {
        "a": {"seg": Interval(0.01, -0.02, 0.04)},
        "b": {"seg": Interval(0.10, -9.0, 0.30)},
        "c": {"seg": Interval(math.nan, math.nan, math.nan)},
    }
    low, high = axis_range([drop for found in drops.values() for drop in found.values()])
    assert -30 < low < 0 and 10 < high < 40
    figure = drops_figure(SimpleNamespace(drops=drops, tasks=["seg"]))
    values, cut = figure.data
    assert list(values.x) == ["a", "b"] and values.y[1] - values.error_y.arrayminus[1] == low
    assert list(cut.x) == ["b", "b"] and set(cut.text) == {"to -900 %", "to +30 %"}


def test_an_ablation_has_a_table_of_its_own_and_strengths_a_line():
    rows = [
        {"method": label, "family": label.split("-")[0], "strength": strength, "without": left_out}
        | {"seed": 0, "task": task, "base": 0.5, "final": 0.4, "drop": 0.2, "retention": 0.8}
        | {"verdict": "fail", "seconds": 60, "dip": 0.1, "forgetting": 0.1, "backward": -0.1}
        for label, strength, left_out in (
            ("distill-without-neck", 1.0, "neck"),
            ("distill-x0", 0.0, ""),
            ("distill-x3", 3.0, ""),
            ("distill", 1.0, ""),
            ("single", 1.0, ""),
        )
        for task in ("seg", "det")
    ]
    frame = pd.DataFrame(rows)
    head, table = ablation_table(frame, ["seg", "det"], {})
    assert head[0] == "recipe"
    assert [row[0] for row in table] == ["the whole recipe", "nothing distilled", "without neck"]
    assert ablation_table(frame[frame["without"] == ""], ["seg", "det"], {}) == ([], [])
    figure = plane(by_method(frame[frame["without"] == ""], {}))
    assert [list(trace.text) for trace in figure.data] == [["distill-x0", "distill", "distill-x3"]]


def test_the_plane_draws_every_method_and_every_variant_of_joint():
    rows = [{"family": f"method{i}", "method": f"method{i}", "old": 0.9} for i in range(9)]
    rows += [{"family": "joint", "method": f"joint{rest}"} for rest in ("", "-x2", "-x2-r0.5")]
    values = [{"strength": 1.0, "new": 0.5 + 0.1 * i} for i in range(12)]
    table = pd.DataFrame([row | value for row, value in zip(rows, values, strict=True)])
    figure = plane(table)
    assert [list(trace.text) for trace in figure.data] == [[f"method{i}"] for i in range(9)]
    assert [note.text for note in figure.layout.annotations] == [
        "joint",
        "joint-x2",
        "joint-x2-r0.5",
    ]
    lines = [shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1]
    assert lines == pytest.approx([140, 150, 160])


def test_a_finished_study_trains_nothing(
    study: Path, rendered: DataRoots, backbone_file: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(options: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("training.compare.train", refuse)
    strengths = study.parent / "strengths.json"
    main(options(study, rendered, backbone_file, strengths=strengths))
    assert StudyRuns(study).first_stage(0) is not None
    assert StudyRuns(study).first_stage(5) is None

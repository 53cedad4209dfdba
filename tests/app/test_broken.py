"""What broke: filters, words and images, with the data at hand and without it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stand_in import (
    REGRESSION_KEYS,
    REGRESSIONS,
    StandInEngine,
    judge,
    make_run,
    make_validation_set,
)

from app.language import Refusal, Words
from app.page import _asked_image, build_page
from app.results.blank_drawing import PAPER, before_and_after
from app.results.broken_words import caption, missing_reason
from app.results.why_broken import why
from app.services.engines import EngineShelf
from app.services.image_reading import read_upload
from app.services.runs import RunShelf
from app.services.validation_images import ValidationImages
from app.site import Site
from app.tabs.broken import behind
from app.tabs.broken_list import ANY, answers, broken_rows
from app.tabs.compare import show
from mtl_core.data.fingerprint import fingerprint
from mtl_core.runs.run_directory import Run
from mtl_core.tasks.data_roots import data_roots, read_split
from mtl_core.types import InputError

WORDS = Words("en")


class SingleTaskEngine(StandInEngine):
    def predict(self, image, score_threshold=0.05):
        said = super().predict(image, score_threshold)
        names = {"det": said.class_names["det"]}
        return replace(said.only(["det"]), class_names=names)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return judge(make_run(tmp_path, "forgets"))


@pytest.fixture
def data(tmp_path: Path, run: Run) -> Path:
    return make_validation_set(tmp_path / "data", run)


def site_of(run: Run, validation_images: ValidationImages | None = None) -> Site:
    return Site(RunShelf([run]), EngineShelf(StandInEngine), validation_images=validation_images)


def test_the_widest_span_comes_first_and_filters_narrow_it(run: Run):
    site = site_of(run)
    span, kind, of_class, told, kinds, gallery, _, table, shown = broken_rows(
        site, None, "seg", None, None, None, WORDS
    )
    assert span["value"] == "1-3" and [value for _, value in span["choices"]] == ["1-3", "1-2"]
    assert [value for _, value in kind["choices"]] == [
        ANY,
        "mask eaten",
        "mask flooded",
        "wrong class",
    ]
    assert told.startswith("Images that lost something: 2. The list stands alone. The images of")
    assert "“python app.py --run RUN --data DIR” brings them" in told
    assert "<div><dt>mask eaten</dt><dd>parts of an object now taken for background</dd>" in kinds
    assert "box" not in kinds and "of the whole image" in kinds
    assert "RUN is the run's directory." in told and told.endswith("</details>")
    assert str(run.path.parent) not in told
    assert gallery["visible"] is False and shown == []
    assert list(table["value"]["image"]) == ["p1", "p2"]
    _, kind, _, told, *_, table, _ = broken_rows(
        site, None, "seg", "1-3", "mask flooded", ANY, WORDS
    )
    assert kind["value"] == "mask flooded" and list(table["value"]["image"]) == ["p2"]
    # A filter that another choice has emptied lets everything through again.
    _, kind, of_class, *_ = broken_rows(site, None, "det", "1-3", "mask flooded", "zebra", WORDS)
    assert kind["value"] == of_class["value"] == ANY


def test_a_class_that_lost_nothing_shows_no_images(run: Run):
    _, _, of_class, told, *_, table, _ = broken_rows(
        site_of(run), None, "seg", "1-3", ANY, "cat", WORDS
    )
    assert of_class["value"] == "cat"
    assert told.startswith("Images that lost something: 0.") and table["value"].empty


def test_images_are_shown_as_the_later_stage_saw_them(run: Run, data: Path):
    site = site_of(run, ValidationImages(data))
    *_, told, _, gallery, more, _, shown = broken_rows(site, None, "seg", None, None, None, WORDS)
    assert more["visible"] is False
    *_, more, _, few = broken_rows(site, None, "seg", None, None, None, WORDS, 1)
    assert more["visible"] is True and [row["image"] for row in few] == ["p1"]
    assert "Click one" in told and [row["image"] for row in shown] == ["p1", "p2"]
    image, words = gallery["value"][0]
    assert image.shape == (60, 80, 3) and image.std() > 0  # grey no longer: a mask lies on it
    assert words == "dog: mask eaten 30 %, wrong class 10 %"


@pytest.mark.parametrize("words", [WORDS, Words("zh-TW")], ids=["en", "zh"])
def test_of_another_set_the_list_alone_is_shown_and_why_is_said(run: Run, data: Path, words):
    def told_and_gallery():
        found = broken_rows(
            site_of(run, ValidationImages(data)), None, "seg", None, None, None, words
        )
        assert list(found[7]["value"].iloc[:, 0]) == ["p1", "p2"]
        return found[3], found[5]["visible"]

    own = fingerprint(read_split(data_roots(data), "seg", "val"))
    run.manifest["data_fingerprint"] = {"seg": {"eval": own}}
    assert told_and_gallery()[1]
    # Images of the same names, but not those that the run was measured on.
    run.manifest["data_fingerprint"]["seg"]["eval"] = own | {"sha256": "another"}
    told, shown = told_and_gallery()
    assert shown and words("broken.drawn") in told  # without the photos
    assert words("broken.other_set", run="forgets", task=words.task("seg")) in told
    assert "app.py --run RUN --data DIR" in told and str(data) not in told


def test_what_else_may_be_missing_is_said(run: Run, data: Path):
    site = site_of(run, ValidationImages(data))
    told = broken_rows(site, None, "det", None, None, None, WORDS)[3]
    assert "no validation images for detection" in told and str(data) not in told
    for number in (1, 3):  # of either stage, an image is drawn from both
        (run.path / "predictions" / f"stage{number}_seg.npz").unlink()
        told = broken_rows(site, None, "seg", "1-3", None, None, WORDS)[3]
        assert "without its folder “predictions”" in told and "training.rescore --run RUN " in told


@pytest.mark.parametrize("words", [WORDS, Words("zh-TW")], ids=["en", "zh"])
def test_a_remedy_can_be_used_as_it_is_printed(tmp_path: Path, words: Words, monkeypatch):
    shipped = make_run(tmp_path / "assets" / "runs", "mini")
    hub = Run(make_run(tmp_path / "snapshots", "1234abcd").path, name="owner/name")
    monkeypatch.setattr("app.results.broken_words.SHIPPED", shipped.path.parent.resolve())

    def told(run: Run, why: str) -> str:
        return missing_reason(run, run.name, "seg", why, words)

    reason, _, folded = told(shipped, "broken.no_data").partition("<details>")
    assert "python app.py --data DIR" in folded and "python" not in reason
    assert "python app.py --run owner/name --data DIR" in told(hub, "broken.no_data")
    rescored = told(shipped, "broken.no_predictions")
    assert "training.rescore --run assets/runs/mini --data DIR" in rescored
    # A directory alone can be scored anew, and a download leaves the predictions out.
    fetched = told(hub, "broken.no_predictions")
    assert "rescore" not in fetched and "hf download owner/name --local-dir RUN" in fetched
    for run in (shipped, hub):
        for key in ("broken.no_data", "broken.no_predictions"):
            assert str(tmp_path) not in told(run, key) and "1234abcd" not in told(run, key)


@pytest.mark.parametrize("words", [WORDS, Words("zh-TW")], ids=["en", "zh"])
def test_of_a_run_measured_on_another_split_no_folder_is_said_to_bring_images(
    run: Run, data: Path, words: Words
):
    run.manifest["data_fingerprint"] = {"seg": {"eval": {"split": "train:tune", "n": 2}}}
    for validation_images in (None, ValidationImages(data)):
        told = broken_rows(site_of(run, validation_images), None, "seg", None, None, None, words)[3]
        assert "train:tune" in told and "--data DIR" not in told


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def without_an_image(path: Path) -> None:
    with np.load(path) as file:
        np.savez_compressed(path, **{"p2/mask": file["p2/mask"]})


def with_odd_names(path: Path) -> None:
    np.savez_compressed(path, mask=np.zeros((60, 80), np.uint8))


def with_a_bad_block(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[60:70] = b"\xff" * 10
    path.write_bytes(content)


@pytest.mark.parametrize("words", [WORDS, Words("zh-TW")], ids=["en", "zh"])
@pytest.mark.parametrize("fault", [cut, without_an_image, with_odd_names, with_a_bad_block])
def test_damaged_predictions_leave_the_list(run: Run, data: Path, fault, words):
    fault(run.path / "predictions" / "stage3_seg.npz")
    assert_the_list_alone(run, data, words)


def test_a_damaged_image_leaves_the_list(run: Run, data: Path):
    cut(data / "mini_voc_seg" / "val" / "p1.jpg")
    assert_the_list_alone(run, data, WORDS)


def test_an_image_that_goes_while_the_set_is_checked_leaves_the_list(run: Run, data: Path):
    run.manifest["data_fingerprint"] = {"seg": {"eval": {"n": 2}}}
    validation_images = ValidationImages(data)
    validation_images.item("seg", "p1")  # the folder has been listed
    (data / "mini_voc_seg" / "val" / "p1.jpg").unlink()
    assert_the_list_alone(run, data, WORDS, validation_images)


def assert_the_list_alone(
    run: Run, data: Path, words: Words, validation_images: ValidationImages | None = None
):
    site = site_of(run, validation_images or ValidationImages(data))
    *_, told, _, gallery, more, table, shown = broken_rows(
        site, None, "seg", "1-3", None, None, words
    )
    assert told.endswith(words("broken.damaged", run="forgets")) and str(data) not in told
    assert not gallery["visible"] and not more["visible"] and shown == []
    assert list(table["value"].iloc[:, 0]) == ["p1", "p2"]


def test_an_image_opens_with_what_people_annotated(run: Run, data: Path):
    validation_images = ValidationImages(data)
    viewed = validation_images.viewed(run, "seg", "p1")
    assert (
        viewed.truth is not None and viewed.truth.trained == ("seg",) and viewed.truth.number == 0
    )
    mask = viewed.truth.prediction.mask
    assert mask is not None and (mask[1:, :40] == 2).all() and (mask[0] == 0).all()
    assert viewed.placed is not None and data not in viewed.placed.parents
    with pytest.raises(Refusal, match="not here any more"):
        validation_images.item("seg", "p9")


def test_a_link_names_an_image_only_where_its_run_can_open_it(tmp_path: Path, run: Run, data: Path):
    alone = make_run(tmp_path, "single-det")
    alone.class_names = {"det": alone.class_names["det"]}
    validation_images = ValidationImages(data)
    engines = {run.path: StandInEngine, alone.path: SingleTaskEngine}
    shelf = EngineShelf(lambda weights: engines[weights.parent](weights))
    site = Site(RunShelf([run, alone]), shelf, validation_images=validation_images)
    viewed = validation_images.viewed(run, "seg", "p1")
    assert show(site, viewed, "forgets", "", WORDS)[1]["link"]["annotated"] == "seg/p1"
    assert show(site, viewed, "single-det", "", WORDS)[1]["link"]["annotated"] == ""
    with pytest.raises(Refusal):
        validation_images.viewed(alone, "seg", "p1")
    opened = _asked_image(site, "single-det", {"annotated": "seg/p1"})
    assert opened.example and not opened.annotated


def test_only_images_that_the_run_broke_are_opened(tmp_path: Path, run: Run, data: Path):
    validation_images, images = ValidationImages(data), data / "mini_voc_seg" / "val"
    for suffix in (".jpg", ".png"):
        shutil.copyfile(images / f"p1{suffix}", images / f"p3{suffix}")
    kept = make_run(tmp_path, "keeps")  # broke nothing
    for of_run, stem in ((run, "p3"), (kept, "p1")):
        with pytest.raises(Refusal, match="not here any more"):
            validation_images.viewed(of_run, "seg", stem)
    viewed = validation_images.viewed(run, "seg", "p2")
    site = Site(
        RunShelf([run, kept]), EngineShelf(StandInEngine), validation_images=validation_images
    )
    assert show(site, viewed, "forgets", "", WORDS)[1]["link"]["annotated"] == "seg/p2"
    assert show(site, viewed, "keeps", "", WORDS)[1]["link"]["annotated"] == ""
    # Of another set than the run's, what is called the same is not shown either.
    run.manifest["data_fingerprint"] = {"seg": {"eval": {"split": "val", "n": 2}}}
    with pytest.raises(Refusal):
        validation_images.viewed(run, "seg", "p1")


def test_photos_of_the_last_stage_stay_closed_and_apart(run: Run, data: Path):
    for folder, grey in (("a", 10), ("b", 240)):
        place = data / "imagenette_160" / "val" / folder
        place.mkdir(parents=True)
        Image.fromarray(np.full((20, 20, 3), grey, np.uint8)).save(place / "001.png")
    rows = json.loads((run.path / "regressions.json").read_text())["rows"]
    rows += [rows[0] | {"task": "cls", "image": f"{folder}/001"} for folder in "ab"]
    (run.path / "regressions.json").write_text(json.dumps({"rows": rows}))
    validation_images = ValidationImages(data)
    with pytest.raises(Refusal):
        validation_images.viewed(run, "cls", "a/001")
    greys = [
        read_upload(validation_images.served("cls", f"{folder}/001"))[0].mean() for folder in "ab"
    ]
    assert greys == [10, 240]


def test_a_link_to_an_image_that_has_gone_opens_the_default(run: Run, data: Path):
    validation_images = ValidationImages(data)
    validation_images.item("seg", "p1")  # the folder has been listed
    (data / "mini_voc_seg" / "val" / "p1.jpg").unlink()
    assert _asked_image(site_of(run, validation_images), "forgets", {"annotated": "seg/p1"}).example
    with pytest.raises(Refusal, match="not here any more"):
        validation_images.viewed(run, "seg", "p1")


def test_a_run_that_was_not_judged_says_how_to(tmp_path: Path):
    site = site_of(make_run(tmp_path, "keeps"))
    _, _, _, told, kinds, gallery, _, table, shown = broken_rows(
        site, None, "seg", None, None, None, WORDS
    )
    assert "training.judge" in told and not gallery["visible"] and not table["visible"]
    assert shown == [] and kinds == ""


def test_boxes_are_counted_and_chinese_is_spoken():
    row = dict(zip(REGRESSION_KEYS, REGRESSIONS[3], strict=True))
    assert caption(row, WORDS) == "cat: lost box 2"
    assert "框遺失 2" in caption(row, Words("zh-TW"))


def test_a_damaged_list_is_told(run: Run):
    (run.path / "regressions.json").write_text('{"rows": [{"image": 1}]}')
    with pytest.raises(InputError, match=r"regressions\.json: expected what"):
        run.regressions()


@pytest.mark.parametrize(
    ("clicked", "asked"),
    [
        ({"figure": "classes", "data": ["dog", 0.2]}, ("seg", None, "dog")),
        ({"figure": "matrix", "data": [3, "seg"]}, ("seg", "1-3", ANY)),
        ({"figure": "matrix", "data": [3, "det"]}, ("det", "2-3", ANY)),
        ({"figure": "matrix", "data": [3, "cls"]}, None),  # nothing is trained after it
        ({"figure": "matrix", "data": None}, None),
        ("no such thing", None),
        (None, None),
    ],
)
def test_a_click_on_a_figure_asks_for_its_images(run: Run, clicked, asked):
    assert behind(clicked, "seg", site_of(run), None) == asked


BOXES = {
    2: [[10, 10, 50, 50, 0.8, 1], [60, 10, 90, 40, 0.7, 2], [0, 60, 30, 90, 0.6, 0]],
    3: [[10, 10, 50, 50, 0.12, 1], [62, 10, 90, 40, 0.55, 0], [50, 60, 95, 95, 0.4, 2]],
}
LOST = {"image": "p1", "task": "det", "before": 2, "after": 3, "loss": 1.0}
LOST |= {"kinds": {"lost box": 2.0, "false alarm": 1.0}, "classes": ["dog", "cat", "person"]}


@pytest.fixture
def boxed(run: Run) -> Run:
    (run.path / "predictions").mkdir(exist_ok=True)
    for stage, rows in BOXES.items():
        place = run.path / "predictions" / f"stage{stage}_det.npz"
        np.savez_compressed(place, **{"p1/boxes": np.array(rows, np.float32)})
    return run


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (["dog"], "dog 0.80 → dog 0.12, too unsure to be shown; no box → cat 0.40"),
        (["cat"], "cat 0.70 → person 0.55; no box → cat 0.40"),
        (["person"], "person 0.60 → no box; no box → cat 0.40"),
    ],
)
def test_why_a_box_was_lost_names_what_took_over_and_how_sure_it_is(boxed: Run, classes, said):
    row = LOST | {"classes": classes}
    assert why(*answers(site_of(boxed), boxed, row), row, WORDS) == said


def test_why_a_mask_was_lost_names_the_class_that_took_over(run: Run, data: Path):
    said = {"p1/mask": np.full((60, 80), 2, np.uint8)}
    np.savez_compressed(run.path / "predictions" / "stage1_seg.npz", **said)
    row = dict(zip(REGRESSION_KEYS, REGRESSIONS[0], strict=True))
    told = why(*answers(site_of(run), run, row), row, WORDS)
    assert told == "dog → cat: 100 % of the image"


def test_without_photos_both_stages_are_drawn_on_blank_paper(boxed: Run):
    before, after = answers(site_of(boxed), boxed, LOST)
    drawn = before_and_after(before, after)
    assert drawn.shape == (95, 95 + 8 + 95, 3)
    assert (drawn[80, 93] == PAPER).all() and (drawn[:, :95] != PAPER).any()
    *_, told, _, gallery, _, _, shown = broken_rows(
        site_of(boxed), None, "seg", None, None, None, WORDS
    )
    assert not gallery["visible"]  # of the masks nothing was kept
    rows = [LOST | {"image": "p1"}]
    (boxed.path / "regressions.json").write_text(json.dumps({"rows": rows}))
    *_, told, _, gallery, _, _, shown = broken_rows(
        site_of(boxed), None, "det", None, None, None, WORDS
    )
    assert "Drawn without the photos" in told and len(gallery["value"]) == 1
    assert "dog 0.80 → dog 0.12" in gallery["value"][0][1] and shown == rows


@pytest.mark.parametrize(("kind", "stage"), [("lost box", 2), ("false alarm", 3)])
def test_a_photo_shows_the_boxes_that_tell_what_broke(boxed: Run, data: Path, kind, stage):
    drawn = []

    class WithPhotos(ValidationImages):
        def lacks(self, run, rows):
            return None

        def thumbnail(self, task, stem, said):
            drawn.append(said.boxes.scores[0])
            return np.zeros((4, 4, 3), np.uint8)

    rows = [LOST | {"kinds": {kind: 2.0, "wrong class": 1.0}}]
    (boxed.path / "regressions.json").write_text(json.dumps({"rows": rows}))
    broken_rows(site_of(boxed, WithPhotos(data)), None, "det", None, None, None, WORDS)
    assert drawn == [np.float32(BOXES[stage][0][4])]


def test_a_filter_does_not_outlive_the_run_that_it_was_set_for(tmp_path: Path, run: Run):
    demo = build_page(site_of(run, None))
    (other,) = (f for f in demo.fns.values() if f.name == "other_list")
    # Another run's list is drawn anew from run and task alone.
    assert [component.elem_id for component in other.inputs] == ["run", "broken-task"]
    told = other.fn("forgets", "seg", request=None)[3]
    assert "Images that lost something: 2" in told

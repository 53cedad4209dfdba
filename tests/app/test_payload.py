import base64
import json
import re
import zlib

import numpy as np
import pytest
from stand_in import NAMES, make_joint_run, make_run

from app.components.grid import grid_value
from app.components.sides import (
    NO_SIDE,
    left_choices,
    left_side,
    opening_sides,
    side_of,
    split_side,
)
from app.language import Words
from app.results.loss_sentence import differences, loss_sentence
from app.services.engines import StageAnswer
from app.services.viewed_image import ViewedImage, example_images, is_copy
from app.tabs.compare import show
from app.viewer.payload import VIEW_LONG_SIDE_PX, Side, viewer_payload
from mtl_core.runs.sealed_json import write_sealed
from mtl_core.types import Prediction, ScalarMap


def ids(payload, part):
    """What the browser draws from: a byte per pixel."""
    packed = zlib.decompress(base64.b64decode(part["ids"]))
    return np.frombuffer(packed, np.uint8).reshape(payload["height"], payload["width"])


@pytest.fixture
def shown(site, image):
    viewed, payload, timing = show(
        site, ViewedImage(image, example="cat"), "forgets", NO_SIDE, Words("en")
    )
    assert "all 3 stages" in timing
    return viewed, payload


def test_every_stage_is_there_and_only_what_it_was_trained(shown):
    _, payload = shown
    one, two, three = payload["stages"]
    assert set(one["parts"]) == {"seg"}
    assert len(two["parts"]["det"]["boxes"]) == 2
    assert set(two["parts"]) == {"seg", "det"}
    assert len(three["parts"]["cls"]["probabilities"]) == len(NAMES["cls"])
    assert [s["trained"] for s in payload["stages"]] == [
        ["seg"],
        ["seg", "det"],
        ["seg", "det", "cls"],
    ]
    json.dumps(payload)


def test_the_mask_arrives_as_class_indices(shown):
    viewed, payload = shown
    for stage, answer in zip(payload["stages"], viewed.answers["forgets"], strict=True):
        np.testing.assert_array_equal(ids(payload, stage["parts"]["seg"]), answer.prediction.mask)


def test_a_large_image_is_sent_smaller_with_its_boxes(site):
    large = np.zeros((960, 1280, 3), np.uint8)
    viewed, payload, _ = show(site, ViewedImage(large), "keeps", NO_SIDE, Words("en"))
    assert payload["width"] == VIEW_LONG_SIDE_PX
    assert ids(payload, payload["stages"][0]["parts"]["seg"]).shape == (768, 1024)
    sent = payload["stages"][1]["parts"]["det"]["boxes"][0]["xyxy"]
    full = viewed.answers["keeps"][1].prediction.boxes.xyxy[0]
    np.testing.assert_allclose(np.array(sent) / 1024 * 1280, full, atol=0.2)


def test_the_link_names_an_example_but_never_an_own_image(site, image):
    _, payload, _ = show(site, ViewedImage(image), "keeps", NO_SIDE, Words("en"))
    assert payload["link"] == {
        "run": "keeps",
        "left": "none",
        "example": "",
        "annotated": "",
    }


def test_the_words_come_in_the_visitors_language(site, image):
    viewed = ViewedImage(image)
    _, payload, _ = show(site, viewed, "keeps", NO_SIDE, Words("zh-TW"))
    assert payload["language"] == "zh-TW"
    assert payload["classes"]["seg"][2]["shown"] == "狗"
    assert payload["classes"]["seg"][2]["name"] == "dog"
    assert payload["words"]["task.seg"] == "語意分割"


def test_a_run_is_asked_once_per_image(site, image):
    viewed = ViewedImage(image)
    show(site, viewed, "keeps", NO_SIDE, Words("en"))
    passes = site.engines.passes
    show(site, viewed, "keeps", NO_SIDE, Words("zh-TW"))
    assert site.engines.passes == passes == 3


def test_another_run_stands_on_the_left_with_what_was_lost_in_words(site, image):
    _, payload, _ = show(site, ViewedImage(image), "keeps", "forgets", Words("en"))
    assert (payload["run"], payload["left"]["run"]) == ("keeps", "forgets")
    assert len(payload["left"]["stages"]) == 3 and payload["left"]["pinned"] is None
    assert [headline["said"] for headline in payload["headlines"]] == [
        "No stage came later yet, so nothing could be forgotten.",
        "Lost on the left: 40 % of segmentation; all kept on the right.",
        "Lost on the left: 80 % of segmentation, 40 % of detection; all kept on the right.",
    ]
    assert [headline["measured"] for headline in payload["headlines"][:2]] == [
        "",
        "Measured on validation images, not on the image shown: on the left mIoU 0.500 → 0.300"
        " (60 images); on the right mIoU 0.500 → 0.490 (60 images).",
    ]
    assert payload["note"] == ""


def test_the_sentence_is_no_surer_than_the_verdicts_and_true_of_a_joint_run(tmp_path):
    doubtful, joint = make_run(tmp_path, "forgets", "finetune"), make_joint_run(tmp_path)
    drop = {"low": 0.01, "high": 0.9}
    told = [
        {"task": t, "verdict": v, "drop": drop} for t, v in (("seg", "undecided"), ("det", "fail"))
    ]
    write_sealed(doubtful.path / "verdicts.json", {"tasks": told})
    said, measured = loss_sentence((joint, 3), (doubtful, 3), Words("en"))
    assert said == (
        "Lost on the left: perhaps 80 % of segmentation, perhaps 40 % of detection;"
        " all tasks trained at once on the right."
    )
    assert "on the left mIoU" in measured and "right" not in measured
    # These verdicts are of the last stage alone.
    said, measured = loss_sentence((doubtful, 2), None, Words("en"))
    assert said == "Lost: 40 % of segmentation."
    assert measured.endswith("not on the image shown: mIoU 0.500 → 0.300 (60 images).")
    assert loss_sentence((joint, 3), None, Words("en")) == ("", "")


def test_a_stage_beside_itself_is_told_so(tmp_path):
    run = make_run(tmp_path, "forgets", "finetune")
    said, measured = loss_sentence((run, 3), (run, 3), Words("en"))
    assert said == "Both sides show the same stage of the same run." and not measured
    assert "lost on the right" in loss_sentence((run, 3), (run, 1), Words("en"))[0]


@pytest.mark.parametrize(
    ("high", "said"),
    [(0.09, "Perhaps all kept (too few images to tell)."), (0.04, "All kept.")],
)
def test_an_earlier_stage_is_told_by_its_own_interval(tmp_path, high, said):
    run = make_run(tmp_path)  # 2 % of segmentation is gone after stage 2
    stages = [{"stage": 2, "score": None, "drop": {"value": 0.02, "low": 0.003, "high": high}}]
    row = {"task": "seg", "verdict": "pass", "drop": {"low": 0.0, "high": 0.01}, "stages": stages}
    write_sealed(run.path / "verdicts.json", {"tasks": [row]})
    assert loss_sentence((run, 2), None, Words("en"))[0] == said


def test_numbers_of_images_are_told_of_both_sides(tmp_path):
    left, right = make_run(tmp_path, "forgets", "finetune"), make_run(tmp_path)
    file = right.path / "records.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        row["n"] = {"seg": 150, "det": 120}.get(row["task"], 60)
    file.write_text("\n".join(map(json.dumps, rows)))
    _, measured = loss_sentence((right, 3), (left, 3), Words("en"))
    assert re.findall(r"\w+ [0-9.]+ → [0-9.]+ \(\d+ images\)", measured.partition(";")[2]) == [
        "mIoU 0.500 → 0.480 (150 images)",
        "mAP 0.200 → 0.200 (120 images)",
    ]
    assert "(60 images)" in measured.partition(";")[0]


def test_what_makes_two_runs_hard_to_compare_is_said(site, image):
    site.runs.get("forgets").manifest["evaluated_input_px"] = 384
    site.runs.get("forgets").manifest["config"]["seed"] = 1
    site.runs.get("forgets").manifest["config"]["stages"][1] |= {"epochs": 8, "distill": {"seg": 1}}
    _, payload, _ = show(site, ViewedImage(image), "keeps", "forgets", Words("en"))
    assert "input size (384 and None px); seed (1 and 0)" in payload["note"]
    assert payload["note"].endswith("settings of the stages (epochs).")


def test_rows_that_do_not_compare_say_so_once(site, image):
    viewed = ViewedImage(image, file_name="holiday.jpg")
    grid = grid_value(site, viewed, Words("en"), ["keeps", "forgets"])
    assert grid["note"] == "" and grid["picture"] == "holiday"
    assert [row["run"] for row in grid["rows"]] == ["forgets", "keeps"]
    site.runs.get("forgets").manifest["config"]["seed"] = 1
    grid = grid_value(site, viewed, Words("en"), ["keeps", "forgets"])
    assert grid["note"] == "Besides the method, these differ: seed (1 and 0)."
    three = [site.runs.get(name) for name in ("keeps", "forgets", "keeps")]
    assert "seed (0 and 1)" in differences(three, Words("en"))
    assert grid_value(site, viewed, Words("en"), []) == {}
    json.dumps(grid)


def test_a_run_stands_beside_itself_as_it_was(site, image):
    side = left_side(site, ViewedImage(image), "keeps", "keeps", Words("en"))
    assert side is not None and side.pinned == 1
    assert left_side(site, ViewedImage(image), NO_SIDE, "keeps", Words("en")) is None


def test_the_left_offers_every_stage_of_every_run(site):
    values = [value for _, value in left_choices(site, Words("en"))]
    assert len(values) == len(set(values)) == 1 + 2 + 6
    assert opening_sides(site) == ("keeps", "forgets")


SIDES = {
    "forgets": ("forgets", None),
    "forgets:2": ("forgets", 2),
    "": None,
    "nowhere:1": None,
    "keeps:9": None,
    "keeps:": None,
}


@pytest.mark.parametrize("side", SIDES)
def test_a_side_that_is_not_here_is_none(site, side):
    assert split_side(site, side) == SIDES[side]
    assert side_of("forgets", 2) == "forgets:2"


def test_a_map_of_numbers_is_sent_in_steps_with_its_range():
    values = np.array([[1.0, np.nan], [3.0, 5.0]], np.float32)
    said = Prediction((2, 2), {}, {"depth": ScalarMap(values)})
    side = Side("r", "R", [StageAnswer(1, "depth", ("depth",), said, None)])
    image = np.zeros((2, 2, 3), np.uint8)
    payload = viewer_payload(image, side, Words(), viewed="l", key="k", alt="a", link={})
    part = payload["stages"][0]["parts"]["depth"]
    assert (part["kind"], part["low"], part["high"]) == ("scalar_map", 1.0, 5.0)
    assert ids(payload, part).tolist() == [[0, 255], [127, 254]]
    assert payload["tasks"] == ["depth"]
    json.dumps(payload)


def test_the_viewer_is_told_which_stage_to_show(site, image):
    viewed = ViewedImage(image)
    answers = viewed.of("keeps", site.runs, site.engines)
    side = Side("keeps", "keeps", answers)
    payload = viewer_payload(image, side, Words(), viewed="l", key="k", alt="a", link={}, stage=2)
    assert payload["stage"] == 2


def test_an_example_is_known_by_its_content(tmp_path):
    cat = example_images()["cat"]
    copy = tmp_path / "anything.jpg"
    copy.write_bytes(cat.read_bytes())
    cat, coffee = (example_images()[name] for name in ("cat", "coffee"))
    assert is_copy(copy, cat)
    assert not is_copy(copy, coffee)
    assert not is_copy(tmp_path / "gone.jpg", cat)


def test_two_spellings_of_one_class_are_one_in_the_legend(site, image):
    _, payload, _ = show(site, ViewedImage(image), "keeps", NO_SIDE, Words("en"))
    table = payload["classes"]["seg"][4]
    assert (table["name"], table["shown"]) == ("diningtable", "dining table")

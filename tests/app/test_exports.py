import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from stand_in import NAMES, StandInEngine

from app.palette import rgb_of
from app.results.downloads import coco_results, mask_png, saved_file
from app.services.engines import only_trained
from mtl_core.types import InputError


@pytest.fixture
def said(image):
    from pathlib import Path

    return StandInEngine(Path("forgets/stage3.safetensors")).predict(image)


def test_the_mask_file_holds_class_indices_and_colours(said):
    image = Image.open(io.BytesIO(mask_png(said)))
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), said.mask)
    colored = np.asarray(image.convert("RGB"))
    assert tuple(colored[said.mask == 3][0]) == rgb_of("cat")


def test_boxes_are_coco(said):
    content = json.loads(json.dumps(coco_results(said)))
    first, category = content["annotations"][0], {c["id"]: c["name"] for c in content["categories"]}
    assert category[first["category_id"]] == "dog"
    left, top, width, height = first["bbox"]
    np.testing.assert_allclose(
        [left, top, left + width, top + height], said.boxes.xyxy[0], atol=0.01
    )
    assert content["images"][0] == {"id": 1, "file_name": "image", "width": 120, "height": 90}


def test_boxes_open_in_pycocotools(said, tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(coco_results(said)))
    assert len(COCO(str(path)).getAnnIds()) == len(said.boxes)


def test_the_boxes_file_says_whose_they_are_and_what_was_left_out(said, image):
    seen = {"opacity": 1, "score_threshold": 0.4, "hidden": {"person"}}
    file = saved_file("boxes", image, said, "x", source={"run": "keeps", "stage": 3}, **seen)
    info = json.loads(base64.b64decode(file["href"].partition(",")[2]))["info"]
    assert (info["run"], info["stage"]) == ("keeps", 3)
    assert (info["score_threshold"], info["hidden_classes"]) == (0.4, ["person"])


def test_the_overlay_is_saved_at_full_size(said, image):
    file = saved_file("overlay", image, said, "cat", opacity=0.5, score_threshold=0.3)
    assert file["name"] == "cat.png"
    content = base64.b64decode(file["href"].partition(",")[2])
    assert Image.open(io.BytesIO(content)).size == (120, 90)


def test_the_overlay_is_saved_as_it_is_seen(said, image):
    def pixels(**seen):
        file = saved_file("overlay", image, said, "x", opacity=0.5, score_threshold=0.3, **seen)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(file["href"].split(",")[1]))))

    everything = pixels()
    assert (pixels(boxes=False) != everything).any()
    without_dog = pixels(hidden={"dog"})
    assert (without_dog != everything).any()
    np.testing.assert_array_equal(pixels(hidden={"dog", "cat"}, boxes=False), image)


@pytest.mark.parametrize("kind", ["boxes", "mask", "weights"])
def test_what_was_not_trained_or_is_unknown_cannot_be_saved(said, image, kind):
    with pytest.raises(InputError):
        saved_file(kind, image, only_trained(said, ("cls",)), "x", opacity=1, score_threshold=0)


def test_names_travel_with_the_boxes(said):
    assert [c["name"] for c in coco_results(said)["categories"]] == NAMES["det"]

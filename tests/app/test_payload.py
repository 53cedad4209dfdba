import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from stand_in import NAMES

from app.components.comparison import (
    changed,
    first_sides,
    legend,
    said_by,
    side_choices,
    side_of,
    sides_after,
)
from app.language import Words
from app.services.viewed_image import ViewedImage, example_images, is_copy
from app.tabs.compare import show
from app.viewer.payload import VIEW_LONG_SIDE_PX, viewer_payload
from mtl_core.types import InputError


def pixels(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


@pytest.fixture
def shown(site, image):
    viewed, payload, timing = show(site, ViewedImage(image, example="cat"), "forgets", Words("en"))
    assert "all 3 stages" in timing
    return viewed, payload


def test_every_stage_is_there_and_only_what_it_was_trained(shown):
    _, payload = shown
    one, two, three = payload["stages"]
    assert one["boxes"] is None
    assert one["probabilities"] is None
    assert len(two["boxes"]) == 2
    assert two["probabilities"] is None
    assert len(three["probabilities"]) == len(NAMES["cls"])
    assert [s["trained"] for s in payload["stages"]] == [
        ["seg"],
        ["seg", "det"],
        ["seg", "det", "cls"],
    ]
    json.dumps(payload)


def test_the_mask_arrives_as_class_indices(shown):
    viewed, payload = shown
    for stage, answer in zip(payload["stages"], viewed.answers["forgets"], strict=True):
        np.testing.assert_array_equal(pixels(stage["mask"]), answer.prediction.mask)


def test_a_large_image_is_sent_smaller_with_its_boxes(site):
    large = np.zeros((960, 1280, 3), np.uint8)
    viewed, payload, _ = show(site, ViewedImage(large), "keeps", Words("en"))
    assert payload["width"] == VIEW_LONG_SIDE_PX
    assert pixels(payload["stages"][0]["mask"]).shape == (768, 1024)
    sent = payload["stages"][1]["boxes"][0]["xyxy"]
    full = viewed.answers["keeps"][1].prediction.boxes.xyxy[0]
    np.testing.assert_allclose(np.array(sent) / 1024 * 1280, full, atol=0.2)


def test_the_link_names_an_example_but_never_an_own_image(site, image):
    _, payload, _ = show(site, ViewedImage(image), "keeps", Words("en"))
    assert payload["link"] == {"run": "keeps", "example": "", "annotated": ""}


def test_the_words_come_in_the_visitors_language(site, image):
    viewed = ViewedImage(image)
    _, payload, _ = show(site, viewed, "keeps", Words("zh-TW"))
    assert payload["language"] == "zh-TW"
    assert payload["classes"]["seg"][2]["shown"] == "狗"
    assert payload["classes"]["seg"][2]["name"] == "dog"
    assert payload["words"]["task.seg"] == "語意分割"


def test_a_run_is_asked_once_per_image(site, image):
    viewed = ViewedImage(image)
    show(site, viewed, "keeps", Words("en"))
    passes = site.engines.passes
    show(site, viewed, "keeps", Words("zh-TW"))
    assert site.engines.passes == passes == 3


def test_two_sides_of_two_runs(site, image):
    viewed = ViewedImage(image)
    left, right = side_of("keeps", 3), side_of("forgets", 3)
    said = said_by(site, viewed, left, right)
    assert said is not None
    assert (said[0].mask != said[1].mask).any()
    html = changed(said, Words("en"))
    assert "pixels changed class" in html
    assert said_by(site, None, left, right) is None
    assert changed(None, Words("en")) == ""


def test_the_legend_of_two_sides_names_what_either_shows(site, image):
    viewed = ViewedImage(image)

    def named(*sides):
        html = legend(said_by(site, viewed, *sides), Words("en"))
        return set(re.findall(r"</i>([^<]+)<", html))

    assert named(side_of("keeps", 1), side_of("keeps", 1)) == {"dog"}
    assert named(side_of("keeps", 1), side_of("keeps", 2)) == {"dog", "person"}
    assert named(side_of("keeps", 3), side_of("forgets", 3)) == {"dog", "cat"}


def test_sides_offer_every_stage_of_every_run(site):
    choices = side_choices(site, Words("en"))
    assert len(choices) == 6
    assert len({value for _, value in choices}) == 6
    assert first_sides(site, site.runs.get(None)) == (side_of("keeps", 1), side_of("keeps", 3))


SIDES = {
    "both follow": ("keeps", (1, 3), "forgets", (1, 3)),
    "their stages stay": ("keeps", (2, 3), "forgets", (2, 3)),
    "no such stage": ("keeps", (1, 9), "forgets", (1, 3)),
}


@pytest.mark.parametrize(("old", "stages", "new", "wanted"), SIDES.values(), ids=SIDES.keys())
def test_sides_of_one_run_follow_to_another(site, old, stages, new, wanted):
    sides = [side_of(old, number) for number in stages]
    assert sides_after(site, new, *sides) == tuple(side_of(new, number) for number in wanted)


def test_sides_of_two_runs_stay(site):
    sides = side_of("keeps", 1), side_of("forgets", 3)
    assert sides_after(site, "forgets", *sides) == sides
    assert sides_after(site, "forgets", None, None) == (None, None)


@pytest.mark.parametrize("side", ["", "nowhere:1", "keeps:9"])
def test_a_side_that_is_not_here_is_told(site, image, side):
    viewed = ViewedImage(image)
    if not side:
        assert said_by(site, viewed, side, side) is None
        return
    with pytest.raises(InputError):
        said_by(site, viewed, side, side)


def test_the_viewer_is_told_which_stage_to_show(site, image):
    viewed = ViewedImage(image)
    answers = viewed.of("keeps", site.runs, site.engines)
    payload = viewer_payload(
        image, answers, Words(), viewed="l", key="k", alt="a", link={}, stage=2
    )
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
    _, payload, _ = show(site, ViewedImage(image), "keeps", Words("en"))
    table = payload["classes"]["seg"][4]
    assert (table["name"], table["shown"]) == ("diningtable", "dining table")

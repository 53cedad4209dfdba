import io
import json
import os
import re
import time

import numpy as np
import pytest
from PIL import Image

from app.palette import rgb_of
from app.services.viewed_image import example_images

ASTRONAUT = example_images()["astronaut"]
OPACITY = 0.65 * 205 / 255  # of a region's inside, as the viewer draws it


def photo(x: float, y: float) -> np.ndarray:
    image = np.asarray(Image.open(ASTRONAUT).convert("RGB"), np.float32)
    height, width = image.shape[:2]
    row, column = int(y * height), int(x * width)
    return image[row - 2 : row + 3, column - 2 : column + 3].mean(axis=(0, 1))


def mixed(x: float, y: float, name: str) -> np.ndarray:
    return photo(x, y) * (1 - OPACITY) + np.array(rgb_of(name)) * OPACITY


def near(found, expected, tolerance=26) -> bool:
    return bool(np.abs(np.array(found, float) - expected).max() <= tolerance)


# Smooth places: on the suit inside the disc of the stand-in's mask, and outside of it.
LEFT_IN, RIGHT_IN, OUT = (0.36, 0.56), (0.62, 0.62), (0.06, 0.93)


def test_the_first_view_draws_mask_boxes_and_bars(visit):
    visitor = visit("?left=none")
    assert near(visitor.pixel(*LEFT_IN), mixed(*LEFT_IN, "dog"))
    assert near(visitor.pixel(*RIGHT_IN), mixed(*RIGHT_IN, "dog"))
    assert near(visitor.pixel(*OUT), photo(*OUT))
    assert visitor.viewer("boxes") == "1"  # the second is below the threshold in stage 3
    bars = visitor.page.locator(".ov-bar")
    assert bars.count() == 3
    assert bars.first.inner_text().split("\n") == ["English springer", "85 %"]
    assert "dog 28 %" in visitor.page.locator(".ov-canvas").get_attribute("aria-label")
    visitor.shoot("compare")


def test_side_by_side_says_what_was_not_trained_yet(visit):
    page = visit().page
    frames = page.locator(".ov-frame")
    assert frames.count() == 3
    assert "not trained yet" in frames.nth(0).inner_text()
    assert frames.nth(0).inner_text().count("not trained yet") == 2
    assert frames.nth(2).inner_text().count("not trained yet") == 0
    assert "2 boxes: dog 0.91, person 0.40" in frames.nth(1).inner_text()


def test_scrubbing_needs_no_server(visit):
    visitor = visit()
    page = visitor.page
    before = len(visitor.requests)
    page.focus(".ov-range")
    for key, stage in (("ArrowLeft", 2), ("ArrowLeft", 1), ("End", 3), ("Home", 1)):
        page.keyboard.press(key)
        visitor.wait_stage(stage)
    assert page.get_attribute(".ov-range", "aria-valuetext") == "Stage 1: segmentation"
    assert "not trained yet" in page.inner_text(".ov-bars")
    assert visitor.viewer("boxes") == "0"
    assert [url for url in visitor.requests[before:] if "/queue/join" in url] == []


def test_between_two_stages_the_masks_are_mixed(visit):
    visitor = visit("?run=forgets&stage=1&left=none")
    whole = np.array(visitor.pixel(*LEFT_IN), float)
    visitor.slide(".ov-range", 0.5)
    half = np.array(visitor.pixel(*LEFT_IN), float)
    visitor.slide(".ov-range", 1)
    none = np.array(visitor.pixel(*LEFT_IN), float)
    assert near(none, photo(*LEFT_IN))
    assert near(half, (whole + none) / 2, tolerance=6)


def test_a_class_can_be_hidden(visit):
    visitor = visit("?left=none")
    visitor.page.locator(".ov-chip", has_text="dog").click()
    assert near(visitor.pixel(*RIGHT_IN), photo(*RIGHT_IN))
    assert visitor.viewer("boxes") == "0"
    visitor.page.locator(".ov-chip", has_text="dog").click()
    assert visitor.viewer("boxes") == "1"


def test_threshold_and_opacity(visit):
    visitor = visit("?stage=2&left=none")
    assert visitor.viewer("boxes") == "2"
    visitor.slide(".ov-threshold", 0.5)
    assert visitor.viewer("boxes") == "1"
    visitor.slide(".ov-threshold", 0.05)
    assert visitor.viewer("boxes") == "2"
    visitor.slide(".ov-opacity", 0)
    assert near(visitor.pixel(*RIGHT_IN), photo(*RIGHT_IN))
    visitor.page.uncheck(".ov-show-boxes")
    assert visitor.viewer("boxes") == "0"


def test_pointing_names_what_is_there(visit):
    visitor = visit()
    box = visitor.page.locator(".ov-canvas").bounding_box()
    visitor.page.mouse.move(
        box["x"] + RIGHT_IN[0] * box["width"], box["y"] + RIGHT_IN[1] * box["height"]
    )
    visitor.page.wait_for_selector(".ov-tip:not([hidden])")
    assert "dog 0.91" in visitor.page.inner_text(".ov-tip")
    assert "Mask: dog" in visitor.page.inner_text(".ov-tip")


def test_the_same_image_under_another_run(visit):
    visitor = visit("?left=none")
    key = visitor.viewer("key")
    visitor.page.get_by_role("radio", name="forgets").check()
    visitor.wait_other_answer(key)
    assert visitor.viewer("stage") == "3"
    assert near(visitor.pixel(*LEFT_IN), photo(*LEFT_IN))
    assert near(visitor.pixel(*RIGHT_IN), mixed(*RIGHT_IN, "cat"))
    assert "of the pixels changed class" in visitor.page.locator(".ov-frame").nth(1).inner_text()


def test_an_example_and_an_upload_keep_the_stage(visit, tmp_path):
    visitor = visit("?stage=2")
    key = visitor.viewer("key")
    visitor.page.get_by_role("button", name=re.compile("tabby cat")).click()
    visitor.wait_other_answer(key)
    assert "cat" in visitor.page.locator(".ov-canvas").get_attribute("aria-label")
    assert visitor.viewer("stage") == "2"
    key = visitor.viewer("key")
    Image.new("RGB", (1280, 960), (20, 90, 160)).save(tmp_path / "own.jpg")
    visitor.page.get_by_role("button", name="Remove Image").click()
    visitor.page.wait_for_selector('.ov[data-ready="no"]')
    visitor.page.set_input_files("#image input[type=file]", tmp_path / "own.jpg")
    visitor.page.wait_for_selector('.ov[data-ready="yes"]')
    visitor.wait_other_answer(key)
    assert near(visitor.pixel(0.03, 0.1), (20, 90, 160))
    assert visitor.viewer("stage") == "2"


@pytest.mark.parametrize(
    ("name", "content"), [("notes.png", b"no image"), ("cut.jpg", b"\xff\xd8\xff")]
)
def test_what_is_no_image_gets_one_sentence(visit, tmp_path, name, content):
    visitor = visit()
    visitor.page.get_by_role("button", name="Remove Image").click()
    visitor.page.wait_for_selector('.ov[data-ready="no"]')
    (tmp_path / name).write_bytes(content)
    visitor.page.set_input_files("#image input[type=file]", tmp_path / name)
    sentence = "This file could not be read as an image: please choose a whole JPEG"
    visitor.page.locator(".toast-body").get_by_text(sentence).wait_for()
    visitor.page.locator(".ov-empty").get_by_text(sentence).wait_for()
    assert not visitor.page.locator(".ov-canvas").is_visible()
    # Nothing of it stays over a good image that comes next.
    visitor.page.get_by_role("button", name=re.compile("tabby cat")).click()
    visitor.page.wait_for_selector('.ov[data-ready="yes"]')
    marks = visitor.page.locator("[data-testid=status-tracker] .error")
    assert not any(mark.is_visible() for mark in marks.all())
    assert not visitor.page.locator(".ov-empty").is_visible()


def test_the_legend_lists_what_the_stage_shows(visit):
    visitor = visit("?run=forgets&stage=1&left=none")
    for stage, shown in ((1, ["dog"]), (2, ["dog", "person"]), (3, ["cat", "dog"])):
        visitor.page.locator(".ov-stop").nth(stage - 1).click()
        visitor.wait_stage(stage)
        assert visitor.page.locator(".ov-legend .ov-chip").all_inner_texts() == shown


def test_the_page_opens_on_what_was_forgotten_beside_what_was_kept(visit):
    visitor = visit()
    visitor.wait_checked("keeps")
    page = visitor.page
    said = page.inner_text(".ov-headline")
    assert said == (
        "Lost on the left: 80 % of segmentation, 40 % of detection; all kept on the right."
    )
    measured = page.inner_text(".ov-measured")
    assert "not on the image shown: on the left mIoU 0.500 → 0.100 (60 images)" in measured
    assert page.inner_text(".ov-caption").startswith("Distillation (keeps) · Stage 3 · ")
    assert "Nothing against forgetting (forgets) · Stage 3" in page.inner_text(".ov-name-left")
    assert "Distillation (keeps) · Stage 3" in page.inner_text(".ov-name-right")
    # The left half of the disc is gone on the left, and all of it is there on the right.
    assert near(visitor.pixel(*LEFT_IN), photo(*LEFT_IN))
    assert near(visitor.pixel(*RIGHT_IN), mixed(*RIGHT_IN, "dog"))
    # Image, scrubber and sentence stand on the first screen.
    for part in (".ov-headline", ".ov-canvas", ".ov-stops"):
        box = page.locator(part).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900
    visitor.shoot("first")


def test_two_sides_and_what_changed(visit):
    visitor = visit("?left=keeps:3&right=forgets:3")
    page = visitor.page
    visitor.wait_checked("forgets")
    told = re.sub(r"\s+", " ", page.inner_text(".ov-changes"))
    assert "dog → cat" in told and "dog → background" in told and "changed class" in told
    assert "still English springer" in told and "1 kept" in told
    page.click("#swap")
    page.wait_for_function(
        "/cat\\s+→\\s+dog/.test(document.querySelector('.ov-changes').innerText)"
    )
    visitor.wait_checked("keeps")
    assert "left=forgets%3A3" in page.url


def test_the_divider_is_drawn_by_hand_and_by_keys(visit):
    visitor = visit("?run=keeps&left=forgets")
    box = visitor.page.locator(".ov-canvas").bounding_box()
    assert near(visitor.pixel(*LEFT_IN), photo(*LEFT_IN))
    handle = visitor.page.locator(".ov-divider").bounding_box()
    visitor.page.mouse.move(handle["x"] + 18, handle["y"] + 30)
    visitor.page.mouse.down()
    visitor.page.mouse.move(box["x"] + 4, handle["y"] + 30)
    visitor.page.mouse.up()
    assert near(visitor.pixel(*LEFT_IN), mixed(*LEFT_IN, "dog"))
    # A name stands on its own side alone.
    assert not visitor.page.locator(".ov-name-left").is_visible()
    assert visitor.page.locator(".ov-name-right").is_visible()
    visitor.page.focus(".ov-divider")
    visitor.page.keyboard.press("End")
    assert near(visitor.pixel(*RIGHT_IN), mixed(*RIGHT_IN, "cat"))
    assert visitor.page.get_attribute(".ov-divider", "aria-valuenow") == "100"


def test_the_words_follow_the_score_and_hidden_classes(visit):
    visitor = visit("?run=keeps&left=keeps:2")
    told = visitor.page.locator(".ov-changes")
    assert "1 lost" in told.inner_text()  # the person is below the score on the right
    visitor.slide(".ov-threshold", 0.1)
    assert "1 lost" not in told.inner_text()
    visitor.slide(".ov-threshold", 0.95)
    assert "No boxes on either side" in told.inner_text()
    assert "no pixel changed class" in visitor.page.locator(".ov-frame").nth(1).inner_text()
    assert "lost" not in visitor.page.locator(".ov-frame").nth(2).inner_text()


def test_a_class_that_is_switched_off_still_counts_as_a_change(visit):
    page = visit("?run=keeps&left=keeps:2").page
    told, line = page.locator(".ov-changes"), page.locator(".ov-frame").nth(2).locator(".ov-change")
    before = told.inner_text(), line.inner_text()
    assert "1 lost" in before[0] and "1 lost" in before[1]
    page.uncheck('.ov-chip [data-class="person"]')
    assert (told.inner_text(), line.inner_text()) == before


def test_what_another_run_draws_is_not_lost_by_this_one(visit):
    told = visit("?run=keeps&left=forgets:2").page.locator(".ov-changes").inner_text()
    assert "1 only left" in told and "lost" not in told


def test_the_left_side_stays_while_the_run_changes(visit):
    visitor = visit("?run=keeps&left=forgets")
    key = visitor.viewer("key")
    visitor.page.get_by_role("radio", name="forgets").check()
    visitor.wait_other_answer(key)
    # A run stands beside itself as it was after its first stage.
    assert "(forgets) · Stage 1" in visitor.page.inner_text(".ov-name-left")
    assert "(forgets) · Stage 3" in visitor.page.inner_text(".ov-name-right")
    key = visitor.viewer("key")
    visitor.page.get_by_role("radio", name="keeps").check()
    visitor.wait_other_answer(key)
    assert "(forgets) · Stage 3" in visitor.page.inner_text(".ov-name-left")


def test_files_are_saved(visit):
    visitor = visit("?run=forgets")
    with visitor.page.expect_download() as mask:
        visitor.page.click("[data-kind=mask]")
    image = Image.open(io.BytesIO(mask.value.path().read_bytes()))
    assert mask.value.suggested_filename == "onehead-astronaut-forgets-stage3-mask.png"
    assert image.mode == "P"
    assert set(np.unique(np.asarray(image))) == {0, 3}
    with visitor.page.expect_download() as boxes:
        visitor.page.click("[data-kind=boxes]")
    saved = json.loads(boxes.value.path().read_text())["annotations"]
    assert [round(box["score"], 2) for box in saved] == [0.91]  # the other is below what is shown
    with visitor.page.expect_download() as overlay:
        visitor.page.click("[data-kind=overlay]")
    assert Image.open(overlay.value.path()).size == Image.open(ASTRONAUT).size


def test_what_is_seen_is_saved_while_another_run_is_on_its_way(visit):
    visitor = visit("?run=forgets")
    # The choice has moved on, the answer has not come yet.
    held = [True]
    visitor.page.route("**/queue/join*", lambda route: held[0] or route.continue_())
    with visitor.page.expect_request("**/queue/join*"):
        visitor.page.get_by_role("radio", name="keeps").check()
    visitor.page.wait_for_timeout(500)
    held[0] = False
    with visitor.page.expect_download() as mask:
        visitor.page.click("[data-kind=mask]")
    assert mask.value.suggested_filename == "onehead-astronaut-forgets-stage3-mask.png"


def test_hidden_classes_stay_hidden_in_the_same_image(visit):
    visitor = visit("?run=keeps")
    visitor.page.locator(".ov-chip", has_text="dog").click()
    assert "0 boxes (switched off: dog" in visitor.page.inner_text(".ov-caption")
    key = visitor.viewer("key")
    visitor.page.get_by_role("radio", name="forgets").check()
    visitor.wait_other_answer(key)
    assert not visitor.page.locator('[data-class="dog"]').is_checked()
    visitor.page.get_by_role("button", name=re.compile("tabby cat")).click()
    visitor.page.wait_for_function("document.querySelectorAll('[data-class]').length > 0")
    visitor.page.wait_for_function(
        "[...document.querySelectorAll('[data-class]')].every(box => box.checked)"
    )


def test_a_link_opens_the_same_view(visit):
    visitor = visit("?run=forgets&stage=2&example=cat&left=keeps:2&right=forgets:2")
    visitor.wait_checked("forgets")
    visitor.page.click(".ov-copy")
    link = visitor.viewer("link")
    for part in ("run=forgets", "stage=2", "example=cat", "left=keeps%3A2"):
        assert part in link
    assert "threshold" not in link and "off=" not in link
    visitor.slide(".ov-threshold", 0.4)
    visitor.slide(".ov-opacity", 0)
    visitor.page.locator(".ov-chip").first.click()
    off = visitor.page.locator("[data-class]:not(:checked)").get_attribute("data-class")
    visitor.page.click(".ov-copy")
    link = visitor.viewer("link")
    again = visit(link[link.index("?") :])
    assert again.page.input_value(".ov-threshold") == "0.4"
    assert again.page.input_value(".ov-opacity") == "0"
    hidden = again.page.locator("[data-class]:not(:checked)")
    assert hidden.count() == 1 and hidden.get_attribute("data-class") == off
    assert again.viewer("stage") == "2"
    assert "tabby cat" in again.page.locator(".ov-canvas").get_attribute("aria-label")


def test_a_link_to_what_is_not_here_opens_the_default(visit):
    visitor = visit("?run=%3Cimg%20src%3Dx%3E&example=nothing&left=a:b")
    visitor.wait_checked("keeps")


def test_visitors_do_not_see_each_others_images(visit, tmp_path):
    one, two = visit("?left=none"), visit("?left=none")
    before = two.viewer("key")
    Image.new("RGB", (300, 300), (250, 10, 10)).save(tmp_path / "mine.png")
    one.page.get_by_role("button", name="Remove Image").click()
    one.page.wait_for_selector('.ov[data-ready="no"]')
    one.page.set_input_files("#image input[type=file]", tmp_path / "mine.png")
    one.page.wait_for_selector('.ov[data-ready="yes"]')
    key = two.viewer("key")
    assert key == before
    two.page.get_by_role("radio", name="forgets").check()
    two.wait_other_answer(key)
    assert near(two.pixel(*OUT), photo(*OUT))


def test_a_run_of_ones_own_opens(visit):
    visitor = visit("?run=forgets")
    page = visitor.page
    mask_lost = "document.querySelector('.ov-strip').innerText.includes('pixels changed class')"
    page.wait_for_function(mask_lost)
    page.get_by_text("Open a run of your own").click()
    page.fill("#place textarea, #place input", "/nowhere/at/all")
    page.get_by_role("button", name="Open", exact=True).click()
    page.get_by_text("is not a run directory").wait_for()
    marks = page.locator("[data-testid=status-tracker] .error")
    assert not any(mark.is_visible() for mark in marks.all())
    key = visitor.viewer("key")
    page.fill("#place textarea, #place input", os.environ["SPARE_RUN"])
    page.get_by_role("button", name="Open", exact=True).click()
    visitor.wait_other_answer(key)
    visitor.wait_checked("spare")
    # What changed between its stages is its own now.
    page.wait_for_function(f"!{mask_lost}")


def test_an_image_is_forgotten_when_its_page_is_closed(visit, demo):
    def sessions_with_an_image():
        return {
            name
            for name, session in demo.state_holder.session_data.items()
            if "data:image/jpeg" in str(list(session.components))
        }

    before = sessions_with_an_image()
    visitor = visit()
    ours = sessions_with_an_image() - before
    assert ours
    visitor.page.close()
    deadline = time.monotonic() + 30
    while ours & sessions_with_an_image() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not ours & sessions_with_an_image()

"""The grid of methods and stages, and what is taken away as a file."""

import csv
import io
import json

from PIL import Image
from test_compare import LEFT_IN, mixed, near, photo


def test_any_two_cells_of_the_grid_go_into_the_divider(visit):
    visitor = visit("?run=keeps&left=none")
    page = visitor.page
    page.click("#draw-grid")
    page.locator("#grid figure").first.wait_for()
    assert page.locator("#grid tbody tr").count() >= 2
    cell = page.locator("#grid figure[data-run=forgets][data-number='3']")
    assert "Stage 3: classification" in cell.inner_text()
    assert "Pixels: cat 14 %" in cell.inner_text() and "1 box: dog 0.91" in cell.inner_text()
    key = visitor.viewer("key")
    cell.locator("[data-side=left]").click()
    visitor.wait_other_answer(key)
    assert "(forgets) · Stage 3" in page.inner_text(".ov-name-left")
    assert near(visitor.pixel(*LEFT_IN), photo(*LEFT_IN))
    key = visitor.viewer("key")
    page.locator("#grid figure[data-run=forgets][data-number='1'] [data-side=right]").click()
    visitor.wait_other_answer(key)
    visitor.wait_stage(1)
    visitor.wait_checked("forgets")
    page.focus(".ov-divider")
    page.keyboard.press("Home")
    assert near(visitor.pixel(*LEFT_IN), mixed(*LEFT_IN, "dog"))
    visitor.shoot("grid")
    with page.expect_download() as saved:
        page.locator("#grid .oh-grid-head button").click()
    sheet = Image.open(io.BytesIO(saved.value.path().read_bytes()))
    assert saved.value.suggested_filename == "onehead-grid.png"
    assert sheet.width > 3 * 320 and sheet.height > 2 * 320
    # A run that is not ticked is in neither the grid nor the file.
    assert set(page.locator("#grid .oh-legend li").all_text_contents()) == {"cat", "dog", "person"}
    page.locator("#grid-runs label", has_text="forgets").locator("input").click()
    page.locator("#grid figure[data-run=forgets]").first.wait_for(state="detached")
    with page.expect_download() as saved:
        page.locator("#grid .oh-grid-head button").click()
    smaller = Image.open(io.BytesIO(saved.value.path().read_bytes()))
    assert smaller.width == sheet.width and 320 < smaller.height < sheet.height - 240
    # A grid of another image does not stay under it.
    key = visitor.viewer("key")
    page.get_by_role("button", name="Example image: the face of a tabby cat").click()
    visitor.wait_other_answer(key)
    assert not page.locator("#grid figure").first.is_visible()


def test_divider_and_stages_are_saved_with_their_labels(visit):
    visitor = visit("?run=keeps&left=forgets")
    for shot, least in (("divider", 960), ("strip", 3 * 480)):
        with visitor.page.expect_download() as saved:
            visitor.page.click(f"[data-shot={shot}]")
        assert saved.value.suggested_filename == f"onehead-astronaut-{shot}.png"
        assert Image.open(io.BytesIO(saved.value.path().read_bytes())).width >= least
    # A long heading breaks into lines.
    heights, draw = [], "[[{ image: document.querySelector('.ov-canvas'), title: '', lines: [] }]]"
    for count in (1, 60):
        with visitor.page.expect_download() as saved:
            visitor.page.evaluate(f"oneHeadSheet({draw}, 'word '.repeat({count}), 'sheet.png')")
        heights.append(Image.open(io.BytesIO(saved.value.path().read_bytes())).height)
    assert heights[1] > heights[0] + 26


def test_boxes_are_saved_as_seen_with_the_files_name(visit):
    visitor = visit("?run=keeps&stage=2")
    visitor.slide(".ov-threshold", 0.5)
    with visitor.page.expect_download() as saved:
        visitor.page.click("[data-kind=boxes]")
    content = json.loads(saved.value.path().read_text())
    assert [round(a["score"], 2) for a in content["annotations"]] == [0.91]
    assert content["images"][0]["file_name"] == "astronaut.jpg"
    assert "not the ids of the COCO" in content["info"]["description"]


def test_a_figure_is_saved_as_image_and_its_data_as_numbers(visit):
    visitor = visit("?tab=forgetting&run=forgets")
    for name in ("matrix", "methods", "curve", "classes"):
        visitor.wait_drawn(name)
    tools = visitor.page.locator(".oh-tools[data-plot=matrix]")
    for kind in ("png", "svg"):
        with visitor.page.expect_download() as saved:
            tools.locator(f"[data-format={kind}]").click()
        assert saved.value.suggested_filename == f"onehead-forgets-matrix.{kind}"
        content = saved.value.path().read_bytes()
        if kind == "svg":
            for words in (b"Scores after each stage", b"OneHead \xc2\xb7 forgets", b"0.500"):
                assert words in content
        else:
            image = Image.open(io.BytesIO(content)).convert("RGB")
            assert image.width > 400
            assert len(image.crop((0, 0, image.width, 10)).getcolors()) == 1  # no title is cut off
    # Asked before the plot stands, the file comes once it does.
    with visitor.page.expect_download():
        visitor.page.evaluate(
            """() => {
              const { classList } = document.querySelector("#matrix .js-plotly-plot");
              classList.remove("js-plotly-plot");
              document.querySelector("[data-plot=matrix] [data-format=svg]").click();
              setTimeout(() => classList.add("js-plotly-plot"), 300);
            }"""
        )
    assert "0.500" in "".join(visitor.page.locator("#matrix svg text").all_text_contents())
    with visitor.page.expect_download() as saved:
        tools.locator("[data-format=csv]").click()
    rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text())))
    last = next(row for row in rows if row["task"] == "seg" and row["stage"] == "3")
    assert float(last["score"]) == 0.1 and float(last["drop"]) == 0.8
    assert {"drop_low", "drop_high"} <= set(last)
    tools.get_by_text("How it is computed").click()
    assert "paired bootstrap" in tools.inner_text()


def test_a_figure_is_saved_in_the_colours_of_the_dark_page(visit):
    visitor = visit("?tab=forgetting&run=forgets", color_scheme="dark")
    visitor.wait_drawn("curve")
    with visitor.page.expect_download() as saved:
        visitor.page.click("[data-plot=curve] [data-format=svg]")
    drawn = saved.value.path().read_text()
    assert "rgb(63, 81, 181)" not in drawn and "rgb(101, 130, 255)" in drawn

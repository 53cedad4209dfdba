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
    heads = page.locator("#grid thead th").all_text_contents()
    assert heads == ["Stage 1: segmentation", "Stage 2: detection", "Stage 3: classification"]
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
    rows = page.locator("#grid tbody th small").all_text_contents()
    assert saved.value.suggested_filename == f"onehead-astronaut-{'-'.join(rows)}-grid.png"
    assert "forgets" in rows and sheet.width == 1920 and sheet.height < 1200  # for a slide
    # A run that is not ticked is in neither the grid nor the file.
    assert set(page.locator("#grid .oh-legend li").all_text_contents()) == {"cat", "dog", "person"}
    page.locator("#grid-runs label", has_text="forgets").locator("input").click()
    page.locator("#grid figure[data-run=forgets]").first.wait_for(state="detached")
    with page.expect_download() as saved:
        page.locator("#grid .oh-grid-head button").click()
    smaller = Image.open(io.BytesIO(saved.value.path().read_bytes()))
    assert "forgets" not in saved.value.suggested_filename and smaller.width > smaller.height
    # A grid of another image does not stay under it.
    key = visitor.viewer("key")
    page.get_by_role("button", name="Example image: the face of a tabby cat").click()
    visitor.wait_other_answer(key)
    assert not page.locator("#grid figure").first.is_visible()


# What a sheet is made of, before it is drawn.
LISTEN = """() => {
  const draw = window.oneHeadSheet;
  window.oneHeadSheet = (table) => {
    window.sheet = JSON.parse(JSON.stringify(table));
    draw(table);
  };
}"""


def test_the_grid_follows_score_classes_and_opacity_on_the_page_and_in_the_file(visit):
    visitor = visit("?run=keeps&left=none")
    page = visitor.page
    page.evaluate(LISTEN)
    page.click(".ov-to-grid")
    cell = page.locator("#grid figure[data-run=forgets][data-number='1']")
    cell.wait_for()
    page.wait_for_function("document.querySelector('#draw-grid').getBoundingClientRect().top < 200")

    def saved():
        with page.expect_download():
            page.locator("#grid .oh-grid-head button").click()
        table = page.evaluate("window.sheet")
        assert page.locator("#grid .oh-legend li").all_text_contents() == [
            mark["shown"] for mark in table["legend"]
        ]
        return table, [mark["shown"] for mark in table["legend"]]

    def colour():  # left of the middle, where the first stage of this run sees a dog
        page.wait_for_timeout(100)
        return cell.locator("canvas").evaluate(
            """(canvas, [x, y]) => [...canvas.getContext('2d').getImageData(
                 Math.round(x * canvas.width), Math.round(y * canvas.height), 1, 1).data]""",
            LEFT_IN,
        )[:3]

    table, classes = saved()
    assert [row["head"][1] for row in table["rows"]] == page.locator(
        "#grid tbody th small"
    ).all_text_contents()
    assert "an astronaut" in table["heading"] and {"dog", "cat", "person"} == set(classes)
    assert near(colour(), mixed(*LEFT_IN, "dog"))
    visitor.slide(".ov-opacity", 0)
    assert near(colour(), photo(*LEFT_IN))
    visitor.slide(".ov-opacity", 0.65)
    visitor.slide(".ov-threshold", 0.95)
    assert "0 boxes" in page.locator("#grid figure[data-number='2']").first.inner_text()
    assert "person" not in saved()[1]
    page.locator("[data-class=dog]").first.click()
    assert near(colour(), photo(*LEFT_IN)) and "dog" not in saved()[1]


def test_divider_and_stages_are_saved_with_their_labels(visit):
    visitor = visit("?run=keeps&left=forgets")
    visitor.page.evaluate(LISTEN)
    for shot, least in (("divider", 960), ("strip", 1280)):
        with visitor.page.expect_download() as saved:
            visitor.page.click(f"[data-shot={shot}]")
        name = f"onehead-astronaut-forgets-keeps-{shot}.png"
        assert saved.value.suggested_filename == name
        assert "cat" in [mark["shown"] for mark in visitor.page.evaluate("window.sheet.legend")]
        assert Image.open(io.BytesIO(saved.value.path().read_bytes())).width >= least
    # A long heading breaks into lines.
    heights, rows = [], "[{ cells: [{ draw() {}, lines: [] }] }]"
    for count in (1, 60):
        with visitor.page.expect_download() as saved:
            visitor.page.evaluate(
                f"oneHeadSheet({{ heading: 'word '.repeat({count}), rows: {rows}, shape: 1,"
                " name: 'sheet.png' })"
            )
        heights.append(Image.open(io.BytesIO(saved.value.path().read_bytes())).height)
    assert heights[1] > heights[0]


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

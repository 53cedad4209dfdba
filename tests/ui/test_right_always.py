"""What once went wrong: filters, sides, texts, figures by keyboard, files."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from PIL import Image

import app.language
from tests.ui.test_other_tabs import FIGURES

LANGUAGE = Path(app.language.__file__).parent


def test_a_class_filter_does_not_outlive_a_switch_of_runs(visit):
    visitor = visit("?run=forgets&tab=broken")
    page = visitor.page
    told = page.locator("#broken-summary")
    told.get_by_text("Images that lost something: 2").wait_for()
    page.locator("#broken-class input").click()
    page.get_by_role("option", name="dog").click()
    told.get_by_text("Images that lost something: 1").wait_for()
    for run, words in (("keeps", "not been judged"), ("forgets", "lost something: 2")):
        page.get_by_role("radio", name=run).check()
        told.get_by_text(words).wait_for()


def test_a_run_of_one_stage_leaves_the_left_side_and_is_left_itself(visit):
    visitor = visit("?run=keeps&left=forgets")
    page, key = visitor.page, visitor.viewer("key")
    page.get_by_role("radio", name="joint").check()
    visitor.wait_other_answer(key)
    assert "(joint) · Stage 3" in page.inner_text(".ov-name-right")
    assert "(forgets) · Stage 3" in page.inner_text(".ov-name-left")
    page.click("#swap")
    visitor.wait_checked("forgets")
    assert "(joint) · Stage 3" in page.inner_text(".ov-name-left")
    page.locator(".ov-stop").first.click()
    visitor.wait_stage(1)
    assert "(joint) · Stage 3" in page.inner_text(".ov-name-left")
    assert page.locator(".ov-divider").is_visible()
    # A swap on its way does not undo the choice of another run.
    page.click("#swap")
    page.get_by_role("radio", name="keeps").check()
    page.wait_for_function("document.querySelector('.ov').dataset.run === 'keeps'")
    page.wait_for_timeout(1500)
    visitor.wait_checked("keeps")
    assert "(keeps)" in page.inner_text(".ov-name-right")


def test_the_share_card_is_the_pages_own(visit):
    page = visit().page
    card = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('meta[property^="og:"]')]
             .map(meta => [meta.getAttribute('property'), meta.content]))"""
    )
    assert card["og:title"] == "OneHead" and card["og:image"].endswith("/share.jpg")
    assert "gradio" not in json.dumps(card).lower()
    answer = page.request.get(card["og:image"])
    assert answer.headers["content-type"] == "image/jpeg"


def test_no_english_is_left_where_chinese_is_read(visit):
    spoken = [json.loads((LANGUAGE / f"{name}.json").read_text()) for name in ("en", "zh_tw")]
    english = {text for key, text in spoken[0].items() if spoken[1][key] != text}
    # What is filled in may be anything; words of one language alone stand between.
    whole = [re.sub(r"\\{\w+\\}", ".+", re.escape(text)) for text in english if len(text) > 3]
    patterns = re.compile("|".join(p for p in whole if re.search("[A-Za-z]{3}", p)))
    visitor, left = visit("?lang=zh-TW&run=forgets"), set()
    page = visitor.page
    for tab in page.locator("#tabs [role=tab]").all():
        tab.click()
        page.wait_for_timeout(2500)
        texts = page.evaluate(
            """() => [...document.querySelectorAll('body *')].filter(e => e.getClientRects().length)
                 .flatMap(e => [e.ariaLabel, e.getAttribute('placeholder'), e.title,
                   ...[...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent)])
                 .filter(Boolean).map(text => text.trim())"""
        )
        left |= {text for text in texts if patterns.fullmatch(text)}
    assert left == set()


def test_texts_of_figures_do_not_lie_on_each_other(visit):
    for width in (1360, 390):
        visitor = visit("?run=forgets&tab=forgetting", viewport={"width": width, "height": 900})
        for figure in FIGURES:
            visitor.wait_drawn(figure)
        visitor.page.wait_for_timeout(500)
        met = visitor.page.evaluate(
            """() => [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => {
              const texts = [...plot.querySelectorAll('.main-svg text')]
                .map(text => [text.textContent, text.getBoundingClientRect()])
                .filter(([said, box]) => said && box.width);
              const meet = (a, b) =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
              return texts.flatMap(([one, a], i) =>
                texts.slice(i + 1).filter(([, b]) => meet(a, b)).map(([two]) => [one, two]));
            })"""
        )
        assert met == [], width


def test_marks_of_a_figure_are_reached_and_opened_by_keys(visit):
    visitor = visit("?run=forgets&tab=forgetting")
    visitor.wait_drawn("classes")
    page = visitor.page
    plot = page.locator("#classes .js-plotly-plot")
    plot.focus()
    assert plot.get_attribute("aria-label") == "Which classes were lost"
    page.keyboard.press("ArrowRight")
    page.locator("#classes .hovertext").first.wait_for()
    page.wait_for_function(
        "/: .*\\d/.test(document.querySelector('#classes .js-plotly-plot').ariaLabel)"
    )
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    page.locator("#broken-summary").get_by_text("Images that lost something").wait_for()


def test_all_stages_are_saved_as_an_animation_with_their_names(visit):
    visitor = visit("?run=forgets&left=keeps")
    with visitor.page.expect_download() as saved:
        visitor.page.click(".ov-animate")
    assert saved.value.suggested_filename == "onehead-astronaut-keeps-forgets-stages.gif"
    film = Image.open(io.BytesIO(saved.value.path().read_bytes()))
    assert film.size[0] == 1280 and film.size[1] > 700  # both runs, whole, under their names
    assert film.format == "GIF" and film.n_frames == 3 and film.info["loop"] == 0
    frames = []
    for number in range(3):
        film.seek(number)
        frames.append(film.convert("RGB").tobytes())
    assert len(set(frames)) == 3


def test_the_animation_of_a_tall_image_keeps_its_shape_and_its_words(visit, tmp_path):
    visitor = visit("?run=forgets&left=none")
    Image.new("RGB", (60, 1200), (200, 40, 40)).save(tmp_path / "tall.png")
    key = visitor.viewer("key")
    visitor.page.set_input_files("#image input[type=file]", tmp_path / "tall.png")
    visitor.wait_other_answer(key)
    with visitor.page.expect_download() as saved:
        visitor.page.click(".ov-animate")
    film = Image.open(io.BytesIO(saved.value.path().read_bytes()))
    assert saved.value.suggested_filename == "onehead-tall-forgets-stages.gif"
    assert film.n_frames == 3 and film.size == (420, 720 + 96)
    red = [x for x in range(420) if film.convert("RGB").getpixel((x, 96 + 20))[0] > 120]
    assert (red[0], red[-1]) == (192, 227)  # in the middle, 60 : 1200 as it was


def test_results_and_how_it_is_computed_are_one_click_from_a_figure(visit):
    visitor = visit("?run=forgets&tab=forgetting")
    visitor.wait_drawn("matrix")
    tools = visitor.page.locator(".oh-tools[data-plot=matrix]")
    answer = visitor.page.request.get(tools.locator("a").evaluate("a => a.href"))
    assert answer.ok and "<h1>Results</h1>" in answer.text()
    assert answer.headers["content-type"].startswith("text/html")

import re
import threading

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

import app.page
import app.tabs.broken
import app.tabs.compare

FIGURES = ("curve", "matrix", "classes", "methods")
# Every tab, and a figure that stands in it.
TABS = {"Compare": "", "Forgetting": "curve", "What broke": "", "Teach it now": ""}
TABS |= {"Latency": "parameters", "About": ""}


def texts(visitor, elem_id):
    return visitor.page.locator(f"#{elem_id} .js-plotly-plot svg text").all_text_contents()


def traces(visitor, elem_id):
    # What Plotly made of the figure: there the packed arrays are numbers again.
    return visitor.page.evaluate(
        """id => document.querySelector(`#${id} .js-plotly-plot`)._fullData.map(
             t => ({ name: t.name || '', y: t.y && Array.from(t.y) }))""",
        elem_id,
    )


def test_forgetting_draws_every_figure_with_its_numbers(visit):
    visitor = visit()
    visitor.tab("Forgetting")
    for name in FIGURES:
        visitor.wait_drawn(name)
    verdicts = visitor.page.inner_text("#verdicts")
    assert "96 %" in verdicts
    assert "kept: at most 5 %" in verdicts
    seg = next(t for t in traces(visitor, "curve") if t["name"].startswith("segmentation"))
    assert seg["y"] == pytest.approx([1, 0.98, 0.96])
    cells = "".join(texts(visitor, "matrix"))
    for score in ("0.500", "0.490", "0.480", "0.950", "not yet"):
        assert score in cells
    # A taught run that another visitor left makes two of a method: then the run is named beside it.
    named = {t["name"].split(":")[0] for t in traces(visitor, "methods")}
    assert {"Distillation", "Nothing against forgetting"} <= named
    assert "dining table" in texts(visitor, "classes")
    visitor.shoot("forgetting")


def test_forgetting_follows_the_run_and_the_view(visit):
    visitor = visit()
    visitor.tab("Forgetting")
    visitor.wait_drawn("curve")
    visitor.page.get_by_role("radio", name="forgets").check()
    visitor.page.get_by_text("more than 5 % was lost").first.wait_for()
    visitor.page.get_by_role("radio", name="Score", exact=True).check()
    visitor.page.wait_for_function(
        """() => document.querySelector('#curve .js-plotly-plot').data
             .some(t => t.name.includes('along the way'))"""
    )
    visitor.page.locator("#class-task").get_by_role("radio", name="classification").check()
    visitor.page.get_by_text("nothing was trained after it").wait_for()


def test_latency_is_measured_on_a_button(visit):
    visitor = visit()
    visitor.tab("Latency")
    visitor.wait_drawn("parameters")
    visitor.wait_drawn("reference-ratios")
    assert any("bare backbone" in text for text in texts(visitor, "reference-ratios"))
    assert "onnxruntime" in visitor.page.inner_text("#latency-reference")
    assert "Nothing is measured yet" in visitor.page.inner_text("#latency-summary")
    visitor.page.click("#measure")
    visitor.page.wait_for_selector("#latency-summary table")
    visitor.wait_drawn("violins")
    table = visitor.page.inner_text("#latency-summary")
    for word in ("p50", "p95", "p99", "whole pass", "drawing", "network"):
        assert word in table
    assert "budget 150 ms" in texts(visitor, "violins")
    visitor.shoot("latency")


def test_about_tells_how_the_run_was_made(visit):
    visitor = visit()
    visitor.tab("About")
    text = visitor.page.inner_text("#provenance")
    assert "distill" in text
    assert visitor.page.locator("#drawing svg").bounding_box()["width"] > 300
    assert "public domain" in visitor.page.inner_text("#licences")
    visitor.shoot("about")


def test_chinese_by_link_and_by_locale(visit):
    for visitor in (visit("?lang=zh-TW"), visit(locale="zh-TW")):
        page = visitor.page
        page.get_by_role("tab", name="遺忘").wait_for()
        assert "一個網路" in page.inner_text("#header")
        assert page.inner_text(".ov-legend-title") == "出現的類別"
        assert "狗" in page.inner_text(".ov-caption")
    visitor.tab("遺忘")
    visitor.wait_drawn("curve")
    assert any("語意分割" in text for text in texts(visitor, "curve"))
    visitor.shoot("chinese")


def test_another_language_keeps_image_run_sides_and_stage(visit, tmp_path):
    visitor = visit("?left=keeps:2&right=forgets:2")
    page = visitor.page
    Image.new("RGB", (300, 200), (20, 90, 160)).save(tmp_path / "own.png")
    page.get_by_role("button", name="Remove Image").click()
    page.wait_for_selector('.ov[data-ready="no"]')
    page.set_input_files("#image input[type=file]", tmp_path / "own.png")
    page.wait_for_selector('.ov[data-ready="yes"]')
    page.get_by_role("radio", name="forgets").check()
    visitor.tab("Latency")
    page.click("#measure")
    page.wait_for_selector("#latency-summary table")
    visitor.tab("Compare")
    page.focus(".ov-range")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    visitor.wait_stage(2)
    page.locator(".ov-chip", has_text="dog").click()
    own = visitor.pixel(0.03, 0.1)
    page.click("a[data-language]")
    page.get_by_role("tab", name="遺忘").wait_for()
    page.locator(".ov-chip", has_text="狗").wait_for()
    assert "lang=zh-TW" in page.url
    assert visitor.viewer("stage") == "2"
    assert not page.locator('.ov-chip [data-class="dog"]').is_checked()
    assert visitor.pixel(0.03, 0.1) == own
    visitor.wait_checked("forgets")
    page.wait_for_function(
        "shown => document.querySelector('#left input').value.endsWith(shown)",
        arg="（keeps），階段 2".replace("（", " (").replace("）", ")"),
    )
    assert "keeps" in page.inner_text(".ov-name-left")
    page.locator(".ov-changes").get_by_text("的像素換了類別").wait_for()
    visitor.tab("延遲")
    page.locator("#latency-summary").get_by_text("整次推論").wait_for()
    visitor.tab("比較")
    page.get_by_role("link", name="English").click()
    page.get_by_role("tab", name="Forgetting").wait_for()
    page.locator(".ov-chip", has_text="dog").wait_for()
    assert visitor.pixel(0.03, 0.1) == own


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (app.page, "run_choices"),
        (app.tabs.compare, "left_choices"),
        (app.tabs.broken, "broken_rows"),
    ],
)
def test_of_two_quick_switches_the_last_counts(visit, monkeypatch, module, name):
    visitor = visit("?run=forgets")
    page = visitor.page
    visitor.tab("What broke")
    page.locator("#broken-gallery img").first.wait_for()
    # The Chinese words are on their way until they are let go.
    begun, go, place = threading.Event(), threading.Event(), getattr(module, name)

    def held(*args):
        begun.set()
        go.wait(30)
        return place(*args)

    monkeypatch.setattr(module, name, held)
    link = page.locator("a[data-language]")
    link.click()
    page.wait_for_function("location.search.includes('lang=zh-TW')")
    for _ in range(100):
        page.wait_for_timeout(0 if begun.is_set() else 100)
    assert begun.is_set()
    # The link itself may still wait for its new words.
    link.evaluate("e => { e.dataset.language = 'en'; }")
    link.click()
    page.wait_for_function("!location.search.includes('lang=zh-TW')")
    page.wait_for_timeout(3000)  # whatever comes first has been said in English again
    go.set()
    page.wait_for_timeout(3000)  # the Chinese words come, and whatever follows them
    page.locator("#broken-summary").get_by_text("Images that lost something").wait_for()
    page.get_by_role("link", name="繁體中文").wait_for()
    page.get_by_role("tab", name="Forgetting").wait_for()
    visitor.tab("Compare")
    page.locator(".ov-chip", has_text="dog").first.wait_for()
    page.wait_for_function("document.querySelector('#left input').value.includes('against')")
    visitor.tab("Forgetting")
    page.locator("#verdicts").get_by_text("the last stage").first.wait_for()


def test_the_image_is_named_in_words(visit):
    page = visit("?lang=zh-TW").page
    page.locator("#image img[alt='The chosen image · 選取的圖片']").wait_for()


def test_a_figure_that_changed_out_of_sight_fills_its_tab(visit):
    visitor = visit()
    visitor.tab("Latency")
    visitor.wait_drawn("parameters")
    wide = "document.querySelector('#parameters .main-svg').getBoundingClientRect().width"
    before = visitor.page.evaluate(wide)
    visitor.tab("About")
    visitor.page.get_by_role("radio", name="forgets").check()
    visitor.page.locator("#provenance").get_by_text("finetune").wait_for()
    visitor.tab("Latency")
    visitor.page.wait_for_function(f"Math.abs({wide} - {before}) < 2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_every_tab_without_sideways_scrolling(visit, scheme):
    visitor = visit(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    for index, name in enumerate(("compare", "forgetting", "latency", "about")):
        if index:
            visitor.tab(name.capitalize())
        if name == "forgetting":
            for figure in FIGURES:
                visitor.wait_drawn(figure)
        tabs = visitor.page.get_by_role("tab").all()
        boxes = [tab.bounding_box() for tab in tabs if tab.is_visible()]
        assert len(boxes) == 6
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
        wide = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, name
        visitor.shoot(f"phone-{scheme}-{name}")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_ratios_and_their_headings_are_not_cut(visit, width, language):
    visitor = visit(f"?lang={language}", viewport={"width": width, "height": 844})
    visitor.page.get_by_role("tab").nth(4).click()
    visitor.wait_drawn("reference-ratios")
    cut = visitor.page.evaluate(
        """() => {
          const figure = document.querySelector('#reference-ratios .main-svg');
          const room = figure.getBoundingClientRect();
          return [...document.querySelectorAll('#reference-ratios .annotation-text')]
            .filter(text => {
              const box = text.getBoundingClientRect();
              return box.left < room.left || box.right > room.right + 1;
            }).map(text => text.textContent);
        }"""
    )
    assert cut == []


def test_the_sides_names_fit_on_a_phone(visit):
    visitor = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    for part in ("#left input", ".ov-name-left", ".ov-name-right"):
        cut = f"(e => e.scrollWidth > e.clientWidth)(document.querySelector('{part}'))"
        assert not visitor.page.evaluate(cut), part


def test_what_a_tap_far_below_changes_comes_in_sight_on_a_phone(visit):
    visitor = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    before = visitor.viewer("key")
    visitor.page.get_by_alt_text("Example image: the face").last.tap()
    visitor.wait_other_answer(before)
    visitor.page.wait_for_function(
        """() => {
          const box = document.querySelector('.ov-canvas').getBoundingClientRect();
          return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight;
        }"""
    )


def test_what_a_run_is_stands_where_it_is_chosen(visit):
    for language, told in (("en", "Nothing against forgetting"), ("zh-TW", "不防遺忘")):
        visitor = visit(f"?lang={language}")
        label = visitor.page.locator("#run label", has_text="forgets")
        label.get_by_text(told).wait_for()


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_no_key_stands_in_place_of_a_word(visit, language):
    visitor = visit(f"?lang={language}")
    visitor.page.evaluate(
        """() => {
          window.heard = [];
          const hear = () => document.querySelectorAll('[aria-live]').forEach(
            (region) => region.textContent && window.heard.push(region.textContent));
          new MutationObserver(hear).observe(
            document.body, { subtree: true, childList: true, characterData: true });
        }"""
    )
    key = visitor.viewer("key")
    visitor.page.get_by_role("radio", name="forgets").check()
    visitor.wait_other_answer(key)
    done = {"en": "Complete", "zh-TW": "完成"}[language]
    visitor.page.wait_for_function("done => window.heard.includes(done)", arg=done)
    heard = " ".join(visitor.page.evaluate("[...new Set(window.heard)]"))
    assert not re.findall(r"\b(?:common|status|blocks)\.\w+", heard)


def test_dark_text_is_light_in_figures(visit):
    visitor = visit(color_scheme="dark")
    visitor.tab("Forgetting")
    visitor.wait_drawn("curve")
    fill = visitor.page.evaluate(
        "getComputedStyle(document.querySelector('#curve .ytick text')).fill"
    )
    assert min(int(v) for v in fill.strip("rgb()").split(",")) > 150
    visitor.shoot("dark-forgetting")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(visit, scheme):
    visitor, serious = visit("?run=forgets", color_scheme=scheme), []
    for tab, figure in TABS.items():
        visitor.tab(tab)
        if figure:
            visitor.wait_drawn(figure)
        serious += [
            f"{tab}: {found['id']}: {node['html'][:160]}"
            for found in Axe().run(visitor.page).response["violations"]
            if found["impact"] in ("serious", "critical")
            for node in found["nodes"]
        ]
    assert not serious


def test_a_choice_is_one_stop_of_the_tab_key_and_arrows_go_through_it(visit):
    visitor = visit()
    page = visitor.page
    page.locator("#run input:checked").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "tab"
    page.keyboard.press("Shift+Tab")
    asked = page.evaluate(
        "(all => all[(all.findIndex(i => i.checked) + 1) % all.length].value)"
        "([...document.querySelectorAll('#run input')])"
    )
    page.keyboard.press("ArrowRight")
    visitor.wait_checked(asked)
    page.wait_for_function(f"document.querySelector('.ov').dataset.run === {asked!r}")


def test_the_page_by_keyboard(visit):
    page = visit().page
    page.focus(".ov-canvas")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector('.ov[data-stage="2"]')
    page.locator(".ov-chip input").first.focus()
    page.keyboard.press("Space")
    assert not page.locator(".ov-chip input").first.is_checked()
    page.locator(".ov-frame").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('.ov[data-stage="1"]')

"""The address follows what is seen; Back and Reload bring it back."""

import time

from PIL import Image


def address_holds(visitor, *parts):
    for part in parts:
        visitor.page.wait_for_function("part => location.search.includes(part)", arg=part)


def test_reload_brings_back_tab_run_stage_sides_score_and_example(visit):
    visitor = visit("?example=cat&left=forgets:1")
    page = visitor.page
    page.locator(".ov-stop").nth(1).click()
    visitor.wait_stage(2)
    visitor.slide(".ov-threshold", 0.5)
    key = visitor.viewer("key")
    page.get_by_role("radio", name="forgets").check()
    visitor.wait_other_answer(key)
    visitor.tab("Forgetting")
    visitor.wait_drawn("curve")
    address_holds(visitor, "tab=forgetting", "run=forgets", "stage=2", "threshold=0.5")
    page.reload()
    visitor.wait_drawn("curve")
    visitor.tab("Compare")
    visitor.wait_stage(2)
    visitor.wait_checked("forgets")
    assert page.input_value(".ov-threshold") == "0.5"
    assert "(forgets) · Stage 1" in page.inner_text(".ov-name-left")
    assert "tabby cat" in page.locator(".ov-canvas").get_attribute("aria-label")


def test_back_goes_to_the_run_and_the_tab_before(visit):
    visitor = visit("?run=keeps&left=none&tab=compare")
    page = visitor.page
    key = visitor.viewer("key")
    page.get_by_role("radio", name="forgets").check()
    visitor.wait_other_answer(key)
    address_holds(visitor, "run=forgets")
    visitor.tab("About")
    address_holds(visitor, "tab=about")
    page.go_back()
    page.locator(".ov-canvas").wait_for()
    key = visitor.viewer("key")
    page.go_back()
    visitor.wait_other_answer(key)
    visitor.wait_checked("keeps")
    assert visitor.viewer("run") == "keeps"


def test_a_link_from_an_image_of_ones_own_says_that_it_is_not_in_it(visit, tmp_path):
    visitor = visit()
    page, key = visitor.page, visitor.viewer("key")
    Image.new("RGB", (300, 200), (20, 90, 160)).save(tmp_path / "own.png")
    page.locator(".ov-stop").first.click()
    visitor.wait_stage(1)
    page.get_by_role("button", name="Remove Image").click()
    page.wait_for_selector('.ov[data-ready="no"]')
    page.set_input_files("#image input[type=file]", tmp_path / "own.png")
    page.wait_for_selector('.ov[data-ready="yes"]')
    visitor.wait_other_answer(key)
    visitor.wait_stage(1)  # the stage that was seen stays
    page.click(".ov-copy")
    link = visitor.viewer("link")
    again = visit(link[link.index("?") :])
    assert "is not in it" in again.page.inner_text(".ov-link-note")


def test_odd_sizes_fit_the_screen(visit, tmp_path):
    visitor = visit()
    for size in ((400, 4000), (40, 40)):
        page, key = visitor.page, visitor.viewer("key")
        Image.new("RGB", size, (200, 90, 160)).save(tmp_path / "odd.png")
        page.get_by_role("button", name="Remove Image").click()
        page.wait_for_selector('.ov[data-ready="no"]')
        page.set_input_files("#image input[type=file]", tmp_path / "odd.png")
        page.wait_for_selector('.ov[data-ready="yes"]')
        visitor.wait_other_answer(key)
        for part in (".ov-canvas", ".ov-frame canvas"):
            high = page.locator(part).first.bounding_box()["height"]
            assert 70 <= high <= 600, (size, part, high)


# Read at once: between two questions another answer may come.
SHOWN = """() => [document.querySelector('.ov').dataset.run,
                  document.querySelector('.ov-name-right').textContent]"""


def test_what_is_shown_is_what_is_named_after_quick_switches(visit):
    visitor = visit("?left=none")
    page = visitor.page
    names = ["forgets", "keeps"] * 6
    for name in names:
        page.locator(f'#run input[value="{name}"]').check(force=True)
        shown = page.evaluate(SHOWN)
        assert f"({shown[0]})" in shown[1]
    page.wait_for_function("document.querySelector('.ov').dataset.run === 'keeps'")
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        shown = page.evaluate(SHOWN)
        assert f"({shown[0]})" in shown[1]
        page.wait_for_timeout(200)
    assert visitor.viewer("run") == "keeps"
    visitor.wait_checked("keeps")


def test_arrow_keys_go_through_runs_and_tabs(visit):
    visitor = visit("?run=keeps")
    page, key = visitor.page, visitor.viewer("key")
    page.focus("#run input:checked")
    page.keyboard.press("ArrowLeft")
    visitor.wait_other_answer(key)
    assert visitor.viewer("run") != "keeps"
    page.get_by_role("tab", name="Compare").focus()
    page.keyboard.press("ArrowRight")
    visitor.wait_drawn("curve")
    assert page.locator("[role=heading]", has_text="Forgetting curves").is_visible()


def test_a_link_keeps_the_dividers_place_and_the_grid(visit):
    visitor = visit("?example=cat&run=keeps&left=forgets")
    page = visitor.page
    page.focus(".ov-divider")
    page.keyboard.press("ArrowLeft")
    page.click("#draw-grid")
    page.locator("#grid figure[data-run=forgets]").first.wait_for()
    page.locator("#grid-runs label", has_text="joint").locator("input").click()
    page.locator("#grid figure[data-run=joint]").first.wait_for(state="detached")
    address_holds(visitor, "divide=0.46", "grid=forgets%2Ckeeps")
    again = visit(page.url[page.url.index("?") :])
    again.page.locator("#grid figure[data-run=forgets]").first.wait_for()
    assert again.page.get_attribute(".ov-divider", "aria-valuenow") == "46"
    assert again.page.locator("#grid tbody tr").count() == 2
    # It is a grid of that image alone.
    key = again.viewer("key")
    again.page.get_by_role("button", name="Example image: an astronaut").click()
    again.wait_other_answer(key)
    again.page.wait_for_function("!location.search.includes('grid=')")


def test_on_a_phone_the_image_stays_in_sight_of_what_changes_it(visit):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True).page
    page.eval_on_selector(".ov-opacity", "slider => slider.scrollIntoView({ block: 'end' })")
    image, slider = (page.locator(f".ov-{part}").bounding_box() for part in ("canvas", "opacity"))
    assert image["y"] >= 0 and image["y"] + image["height"] <= slider["y"]
    assert slider["y"] + slider["height"] <= 845


def test_on_a_phone_the_upload_is_one_tap_away(visit):
    visitor = visit(viewport={"width": 390, "height": 844})
    page = visitor.page
    high = "document.querySelector('#image').getBoundingClientRect().top"
    assert page.evaluate(high) > 844
    page.get_by_role("button", name="Your own image").click()
    page.wait_for_function(f"{high} < 700")
    assert not visit().page.locator(".ov-own").is_visible()
